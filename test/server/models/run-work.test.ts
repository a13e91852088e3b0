import sharp from 'sharp'
import { expect, test, vi } from 'vitest'
import { runWork } from '../../../lib/server/models/run-work.js'
import type { Work, WorkEvent } from '../../../lib/server/jobs/work.js'
import { until } from '../fake-backend.js'
import { fake, settle, useFakeNative } from '../../support/fake.js'
import { withPipeline } from '../../support/small-model.js'

vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

const PIXELS = { width: 128, height: 128, data: new Uint8Array(128 * 128 * 3) }
const file = { format: 'png' } as const
const options = { prompt: 'x', width: 128, height: 128, priorSteps: 1, decoderSteps: 1 }
const picture = await sharp({ create: { width: 128, height: 128, channels: 3, background: '#888' } })
  .png()
  .toBuffer()
const common = { model: 'small', images: 2, file, previews: 0 }

const WORK: Readonly<Record<string, Work>> = {
  generations: { ...common, kind: 'generate', options: { ...options, numImagesPerPrompt: 2 } },
  edits: { ...common, kind: 'edit', source: picture, options: { ...options, n: 2 } },
  variations: { ...common, kind: 'vary', source: picture, options: { ...options, n: 2 } }
}

test.each(Object.entries(WORK))('%s hand over each image when it is there, while the others are still made', (_, work) =>
  withPipeline(async pipeline => {
    const told: WorkEvent[] = []
    const result = runWork(pipeline, work, new AbortController().signal, event => told.push(event))
    await until(() => fake.runs.length > 0)
    const run = fake.runs[0]!
    run.emit({ type: 'image', image: 1, pixels: PIXELS })
    // Nothing else will happen until the engine is told to go on.
    await until(() => told.length > 0)
    expect(told).toMatchObject([{ type: 'image', image: 1, result: { format: 'png', width: 128 } }])
    await settle()
    run.finish()
    const made = await result
    expect(made).toMatchObject({ kind: 'images', images: [{ width: 128 }, { width: 128 }] })
    expect(told.filter(({ type }) => type === 'image')).toHaveLength(2)
  })
)
