import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Pipeline } from '../../lib/index.js'
import { root } from '../support/small-model.js'

test('without a directory the packaged model is loaded, verified, and makes a picture of its own size', async () => {
  expect(process.env['WUERSTCHEN_MODEL']).toBeUndefined()
  expect(existsSync(join(root, 'models', 'tiny', 'wuerstchen.json'))).toBe(true)
  await using pipeline = await Pipeline.load(undefined, { threads: 1 })
  expect(pipeline.model).toMatchObject({ name: 'wuerstchen-tiny', path: join(root, 'models', 'tiny') })
  const {
    images: [image]
  } = await pipeline.generate({ prompt: 'a red heart', seed: 1 })
  // A picture, not a plain area: its values spread.
  const mean = image!.data.reduce((sum, value) => sum + value, 0) / image!.data.length
  const spread = Math.sqrt(image!.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / image!.data.length)
  expect(spread).toBeGreaterThan(10)
})
