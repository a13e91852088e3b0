import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { Pipeline, Stage, Tensor, type PreviewEvent } from '../../lib/index.js'
import { largest } from '../parity/reference.js'
import { editManifest } from '../support/model-files.js'
import { QUICK, smallModel, withModelCopy, withPipeline } from '../support/small-model.js'

const CALL = { ...QUICK, prompt: ['a cat', 'a dog'], priorSteps: 6, decoderSteps: 3, seed: 4 }

async function withPreviews(pipeline: Pipeline, previews: number) {
  const seen: PreviewEvent[] = []
  const { images } = await pipeline.generate({ ...CALL, previews, onPreview: event => seen.push(event) })
  return { seen, images }
}

test("the picture is the same to the last bit, and the last preview shows the prior's result", () =>
  withPipeline(async pipeline => {
    const plain = await pipeline.generate(CALL)
    const { seen, images } = await withPreviews(pipeline, 3)
    expect(images.map(image => image.data)).toEqual(plain.images.map(image => image.data))
    expect(seen.map(({ index, step, steps }) => [index, step, steps])).toEqual(
      [2, 4, 6].flatMap(step => [
        [0, step, 6],
        [1, step, 6]
      ])
    )
    expect(pipeline.stats().stages['previewer']).toMatchObject({ runs: 6 })

    const { prompt, width, height, priorSteps, seed } = CALL
    using embeddings = await pipeline.prior({ prompt, width, height, priorSteps, seed })
    const z = Float32Array.from((await embeddings.tensor.data()) as Float32Array, e => (e + 1) / 42)
    await using previewer = await Stage.load(join(smallModel, 'previewer.float32.cpu.pt'), { threads: 1 })
    for (const [row, { image }] of seen.slice(-2).entries()) {
      using latents = Tensor.from(z.subarray(row * 144, (row + 1) * 144), [1, 16, 3, 3])
      const [output] = await previewer.run([latents])
      using pixels = output!
      const planes = (await pixels.data()) as Float32Array
      const expected = Uint8Array.from({ length: 24 * 24 * 3 }, (_, at) =>
        Math.round(255 * Math.min(1, Math.max(0, planes[(at % 3) * 576 + Math.floor(at / 3)]!)))
      )
      expect([image.width, image.height, image.channels]).toEqual([24, 24, 3])
      // The schedule's last level leaves a hundredth of noise (√(1 − 0.9999)) that the estimate does not have.
      expect(largest(image.data, expected)).toBeLessThanOrEqual(3)
      expect(
        (
          await sharp(image.data, { raw: image as never })
            .png()
            .toBuffer()
        )
          .subarray(1, 4)
          .toString()
      ).toBe('PNG')
    }
  }))

test("a model without a previewer makes them by short decodes, of the picture's size", () =>
  withModelCopy(async directory => {
    editManifest(directory, (manifest: { stages: Record<string, unknown> }) => {
      delete manifest.stages['previewer']
    })
    await using pipeline = await Pipeline.load(directory, { threads: 1 })
    const plain = await pipeline.generate(CALL)
    const { seen, images } = await withPreviews(pipeline, 2)
    expect(images.map(image => image.data)).toEqual(plain.images.map(image => image.data))
    expect(seen.map(({ index, step, image }) => [index, step, image.width])).toEqual([
      [0, 3, 128],
      [1, 3, 128],
      [0, 6, 128],
      [1, 6, 128]
    ])
  }))

test('vary and edit have previews too', () =>
  withPipeline(async pipeline => {
    const source = { width: 128, height: 128, data: new Uint8Array(128 * 128 * 3).fill(90) }
    const steps: number[] = []
    const options = {
      priorSteps: 8,
      decoderSteps: 1,
      seed: 1,
      previews: 2,
      onPreview: ({ step }: PreviewEvent) => steps.push(step)
    }
    await pipeline.vary(source, { ...options, strength: 0.5 })
    await pipeline.edit(source, { ...options, prompt: 'a cat', strength: 0.5 })
    await pipeline.vary(source, { ...options, strength: 0 }) // no prior, no previews
    expect(steps).toEqual([2, 4, 2, 4])
  }))

test('leaving a stream at a preview cancels the work', () =>
  withPipeline(async pipeline => {
    for await (const event of pipeline.stream({ ...QUICK, priorSteps: 1000, previews: 500 })) if (event.type === 'preview') break
    while (pipeline.stats().running > 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect(pipeline.stats().cancelled).toBe(1)
  }))
