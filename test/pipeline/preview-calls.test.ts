import { expect, test, vi } from 'vitest'
import type { PreviewEvent, StreamEvent } from '../../lib/index.js'
import { fake, settle, useFakeNative } from '../support/fake.js'
import { editManifest } from '../support/model-files.js'
import { QUICK, withModelCopy, withPipeline } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()

const pixels = (width: number) => ({ width, height: width, data: new Uint8Array(width * width * 3) })

test('previews are asked for only where somebody hears of them', () =>
  withPipeline(async pipeline => {
    const calls = [
      pipeline.generate(QUICK),
      pipeline.generate({ ...QUICK, previews: 3 }),
      pipeline.generate({ ...QUICK, previews: 3, onPreview: () => {} })
    ]
    await settle()
    expect(fake.runs.map(run => run.request.previews)).toEqual([0, 0, 3])
    for (const run of fake.runs) run.finish()
    await Promise.all(calls)
  }))

test('a stream yields previews between its steps, as raw pixels', () =>
  withPipeline(async pipeline => {
    const events: StreamEvent[] = []
    const heard: PreviewEvent[] = []
    const reading = (async () => {
      for await (const event of pipeline.stream({ ...QUICK, previews: 1, onPreview: event => heard.push(event) }))
        events.push(event)
    })()
    await settle()
    fake.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
    fake.runs[0]!.emit({ type: 'preview', image: 0, pixels: pixels(24), step: 1, steps: 2 })
    fake.runs[0]!.finish()
    await reading
    expect(events.map(event => event.type)).toEqual(['step', 'preview', 'image', 'done'])
    expect(events[1]).toEqual({
      type: 'preview',
      index: 0,
      image: { ...pixels(24), channels: 3 },
      stage: 'prior',
      step: 1,
      steps: 2,
      elapsedMs: expect.any(Number)
    })
    expect({ type: 'preview', ...heard[0] }).toEqual(events[1])
  }))

test('a listener of previews that throws rejects the call with what it threw', () =>
  withPipeline(async pipeline => {
    const done = pipeline.generate({
      ...QUICK,
      previews: 1,
      onPreview: () => {
        throw new TypeError('mine')
      }
    })
    await settle()
    fake.runs[0]!.emit({ type: 'preview', image: 0, pixels: pixels(24), step: 1, steps: 2 })
    await expect(done).rejects.toThrow(new TypeError('mine'))
    expect(fake.runs[0]!.cancelled).toBe(true)
    fake.runs[0]!.finish()
  }))

test('of a spread call each preview has the number of its image', () =>
  withPipeline(
    async pipeline => {
      const seen: number[] = []
      const done = pipeline.generate({ ...QUICK, numImagesPerPrompt: 3, previews: 1, onPreview: ({ index }) => seen.push(index) })
      await settle()
      for (const run of fake.runs)
        run.request.images.forEach((_, image) => run.emit({ type: 'preview', image, pixels: pixels(24), step: 2, steps: 2 }))
      for (const run of fake.runs) run.finish()
      await done
      expect(seen).toEqual([0, 2, 1])
    },
    { device: ['cpu', 'cpu'] }
  ))

test("of the halves apart the prior's makes them", () =>
  withPipeline(
    async pipeline => {
      const done = pipeline.generate({ ...QUICK, previews: 2, onPreview: () => {} })
      await settle()
      fake.runs[0]!.finish()
      await settle()
      fake.runs[1]!.finish()
      await done
      expect(fake.runs.map(run => run.request.previews)).toEqual([2, 0])
    },
    { device: { prior: 'cpu', decoder: 'cpu' } }
  ))

test('wrong options are refused', () =>
  withPipeline(async pipeline => {
    for (const previews of [-1, 1.5, 1001, '2']) {
      await expect(pipeline.generate({ ...QUICK, previews: previews as never })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('for previews')
      })
    }
    await expect(pipeline.generate({ ...QUICK, onPreview: () => {} })).rejects.toThrow(
      /Expected how many of each image onPreview is to get for previews/
    )
    await expect(pipeline.prior({ prompt: 'a', previews: 1 } as never)).rejects.toThrow(/previews/)
  }))

test.each([
  [{ residency: 'sequential' as const }, false],
  [{ device: { prior: 'cpu', decoder: 'cpu' } }, false],
  [{}, true]
])('without a previewer %j can make previews: %s', (options, able) =>
  withModelCopy(async directory => {
    editManifest(directory, (manifest: { stages: Record<string, unknown> }) => {
      delete manifest.stages['previewer']
    })
    const { Pipeline } = await import('../../lib/index.js')
    await using pipeline = await Pipeline.load(directory, options)
    const done = pipeline.generate({ ...QUICK, previews: 1, onPreview: () => {} })
    if (!able)
      return expect(done).rejects.toMatchObject({
        code: 'MODEL_MISMATCH',
        message: expect.stringContaining('the stage previewer')
      })
    await settle()
    fake.runs[0]!.finish()
    await done
  })
)
