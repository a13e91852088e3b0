import { afterAll, beforeAll, expect, test } from 'vitest'
import { Pipeline, type GeneratedImage } from '../../lib/index.js'
import { largest, relativeDifference } from '../parity/reference.js'
import { QUICK, smallModel } from '../support/small-model.js'

/** Steps of 1/255: kernels may add in another order when a batch has another size. */
const PIXELS = 1

let pipeline: Pipeline
beforeAll(async () => {
  pipeline = await Pipeline.load(smallModel, { threads: 1, maxBatch: 4 })
})
afterAll(() => pipeline.dispose())

const SAMPLING = { ...QUICK, priorSteps: 4, decoderSteps: 3 }

test('each image of a batch is the image of its single run', async () => {
  const prompts = ['a photo of a cat', 'a ship in a storm', '', 'a house '.repeat(60), 'a cat', 'a dog']
  const { images, cut } = await pipeline.generate({
    ...SAMPLING,
    prompt: prompts,
    negativePrompt: 'blurry',
    numImagesPerPrompt: 2,
    seed: 100,
    decoderGuidanceScale: 1.5
  })
  expect(images).toHaveLength(12)
  expect(cut.map(({ text }) => text)).toEqual([prompts[3]])
  for (const [index, image] of images.entries()) {
    const alone = await pipeline.generate({
      ...SAMPLING,
      prompt: prompts[index >> 1]!,
      negativePrompt: 'blurry',
      seed: 100 + index,
      decoderGuidanceScale: 1.5
    })
    expect(largest(alone.images[0]!.data, image.data), `image ${index}`).toBeLessThanOrEqual(PIXELS)
  }
  // That the images are of different things at all.
  expect(largest(images[0]!.data, images[1]!.data)).toBeGreaterThan(PIXELS)
})

test('runs that overlap share batches, whatever their steps, guidance and stage', async () => {
  const calls = [
    { ...SAMPLING, seed: 1 },
    { ...SAMPLING, seed: 2, priorSteps: 7 },
    { ...SAMPLING, seed: 3, priorGuidanceScale: 0 },
    { ...SAMPLING, seed: 4, decoderSteps: 6, decoderGuidanceScale: 3 },
    { ...SAMPLING, seed: 5, prompt: ['a', 'b'] }
  ]
  const before = pipeline.stats().batchSizes
  const together = await Promise.all(calls.map(call => pipeline.generate(call)))
  const after = pipeline.stats().batchSizes
  expect(Object.keys(after).some(size => Number(size) > 1 && (after[size] ?? 0) > (before[size] ?? 0))).toBe(true)
  for (const [index, call] of calls.entries()) {
    const alone = await pipeline.generate(call)
    alone.images.forEach((image, k) =>
      expect(largest(image.data, together[index]!.images[k]!.data), `call ${index}`).toBeLessThanOrEqual(PIXELS)
    )
  }
})

test('the noise of an image is the same alone and in any batch', async () => {
  // One step from pure noise: embeddings are a function of the noise and the text alone.
  const options = { prompt: 'a cat', width: 128, height: 128, priorSteps: 1 }
  using batch = await pipeline.prior({ ...options, numImagesPerPrompt: 3, seeds: [9, 7, 8] })
  const data = (await batch.tensor.data()) as Float32Array
  expect(new Set(batch.randomOffsets).size).toBe(1)
  for (const [row, seed] of [9, 7, 8].entries()) {
    using alone = await pipeline.prior({ ...options, seed })
    expect(alone.randomOffsets[0]).toBe(batch.randomOffsets[0])
    const single = (await alone.tensor.data()) as Float32Array
    const size = single.length
    const scale = single.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    // Rounding alone: other noise would differ by about the scale itself.
    expect(largest(single, data.subarray(row * size, (row + 1) * size))).toBeLessThan(1e-5 * scale)
  }
})

test('the same call twice gives the same bytes', async () => {
  const [first, second] = [await pipeline.generate({ ...SAMPLING, seed: 11 }), await pipeline.generate({ ...SAMPLING, seed: 11 })]
  expect(second.images[0]!.data).toEqual(first.images[0]!.data)
})

test.each([{ device: { prior: 'cpu', decoder: 'cpu' } }, { device: ['cpu', 'cpu'] }, { residency: 'sequential' as const }])(
  '%j gives the same picture',
  async options => {
    const seeds = [1, 2, 3]
    const expected = await pipeline.generate({ ...SAMPLING, prompt: 'a cat', numImagesPerPrompt: 3, seeds })
    await using other = await Pipeline.load(smallModel, { threads: 1, ...options })
    const { images } = await other.generate({ ...SAMPLING, prompt: 'a cat', numImagesPerPrompt: 3, seeds })
    images.forEach((image: GeneratedImage, k) =>
      expect(largest(image.data, expected.images[k]!.data)).toBeLessThanOrEqual(PIXELS)
    )
    using embeddings = await other.prior({ prompt: 'a cat', width: 128, height: 128, priorSteps: 4, seed: 1 })
    using reference = await pipeline.prior({ prompt: 'a cat', width: 128, height: 128, priorSteps: 4, seed: 1 })
    expect(await relativeDifference(embeddings.tensor, reference.tensor)).toBeLessThan(1e-5)
    expect((await other.decode(embeddings, { decoderSteps: 3 })).images).toHaveLength(1)
  }
)

test('requests flow through both halves at once', async () => {
  const expected = await pipeline.generate({ ...SAMPLING, seed: 1 })
  await using halves = await Pipeline.load(smallModel, { threads: 1, device: { prior: 'cpu', decoder: 'cpu' } })
  const behind = new AbortController()
  const next = halves.generate({ ...SAMPLING, priorSteps: 1000, seed: 2, signal: behind.signal })
  const running: number[][] = []
  const { images } = await halves.generate({
    ...SAMPLING,
    seed: 1,
    onStep: ({ stage }) => {
      if (stage === 'decoder') running.push(halves.stats().engines.map(engine => engine.running))
    }
  })
  // While the decoder's engine worked on the one, the prior's worked on the other.
  expect(running).toContainEqual([1, 1])
  expect(largest(images[0]!.data, expected.images[0]!.data)).toBeLessThanOrEqual(PIXELS)
  behind.abort()
  await expect(next).rejects.toBe(behind.signal.reason)
})

test('two engines of one pipeline work at once, and share no batch', async () => {
  await using both = await Pipeline.load(smallModel, { threads: 1, device: ['cpu', 'cpu'] })
  const running: number[][] = []
  const calls = [1, 2].map(seed =>
    both.generate({
      ...SAMPLING,
      priorSteps: 30,
      seed,
      onStep: () => {
        running.push(both.stats().engines.map(engine => engine.running))
      }
    })
  )
  const results = await Promise.all(calls)
  expect(running).toContainEqual([1, 1])
  expect(both.stats().engines.map(({ completed, batchSizes }) => [completed, Object.keys(batchSizes)])).toEqual([
    [1, ['1']],
    [1, ['1']]
  ])
  for (const [index, { images }] of results.entries()) {
    const alone = await pipeline.generate({ ...SAMPLING, priorSteps: 30, seed: index + 1 })
    expect(largest(images[0]!.data, alone.images[0]!.data)).toBeLessThanOrEqual(PIXELS)
  }
})
