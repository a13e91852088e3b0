import { expect, test } from 'vitest'
import { limitsOf } from '../../../lib/server/limits.js'
import { readFacts } from '../../../lib/server/models/model.js'
import { checkedWork } from '../../../lib/server/queue/checked-work.js'
import { heartPicture, tinyModel } from '../fake-backend.js'

const facts = await readFacts('tiny', tinyModel)
const limits = limitsOf({ maxImages: 4, maxSide: 512, maxPriorSteps: 50, maxPromptLength: 100, maxInputPixels: 100_000 })
const picture = await heartPicture()

const generate = (more: object = {}, options: object = {}) => ({
  ...{ kind: 'generate', model: 'tiny', images: 1, file: { format: 'png' }, previews: 0 },
  options: { prompt: 'x', numImagesPerPrompt: 1, ...options },
  ...more
})
const edit = (more: object = {}, options: object = {}) => ({
  ...{ kind: 'edit', model: 'tiny', images: 1, file: { format: 'png' }, previews: 0, source: picture },
  options: { prompt: 'x', n: 1, ...options },
  ...more
})

test('work as servers write it is done', async () => {
  for (const work of [generate(), edit(), edit({ mask: { file: picture, changes: 'white' } })])
    expect(await checkedWork(work, facts, limits)).toEqual(work)
})

test.each([
  ['no object', null],
  ['another kind', { ...generate(), kind: 'shell' }],
  ['a field of its own', generate({ path: '/etc/passwd' })],
  ['another model', generate({ model: 'other' })],
  ['an option that names a file', edit({}, { mask: '/etc/passwd' })],
  ['a source that names a file', edit({ source: '/etc/passwd' })],
  ['a mask that names a file', edit({ mask: { file: '/etc/passwd', changes: 'white' } })],
  ['an option that is an object', generate({}, { latents: {} })],
  ['an unknown option', generate({}, { outPath: 'x' })],
  ['a format that nobody writes', generate({ file: { format: 'exe' } })],
  ['too many images', generate({ images: 5 }, { numImagesPerPrompt: 5 })],
  ['more images than it says', generate({ images: 1 }, { numImagesPerPrompt: 4 })],
  ['more prompts than it says', generate({}, { prompt: ['a', 'b'] })],
  ['a side that is too long', generate({}, { width: 1024 })],
  ['too many steps', generate({}, { priorSteps: 51 })],
  ['too many noise levels', generate({}, { priorTimesteps: Array.from({ length: 60 }, (_, index) => 1 - index / 60) })],
  ['a prompt that is too long', generate({}, { prompt: 'x'.repeat(101) })],
  ['a source that is no image', edit({ source: Buffer.from('no image') })],
  ['bytes as a list', edit({ source: { type: 'Buffer', data: [1] } })]
])('%s is refused', async (_, work) => {
  await expect(checkedWork(work, facts, limits)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
