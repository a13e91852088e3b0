import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pipeline, type DecodeOptions, type GeneratedImage, type GenerateOptions, type Tensor } from '../../lib/index.js'
import { compiledModel, smallModel } from '../support/small-model.js'
import { cases, largest, relativeDifference, values } from './reference.js'

/** Stage C's embeddings, relative to the largest. Measured: 4.2e-6 at most. */
const EMBEDDINGS = 1e-4
/** Steps of 1/255, and the share of values that may differ by one: those that were about to round the other way. */
const PIXELS = 1
const ROUNDED_OTHERWISE = 1e-3

const TENSORS = ['latents', 'promptEmbeds', 'negativePromptEmbeds', 'embeddings']

describe.each([
  ['TorchScript', smallModel, []],
  ['compiled libraries', compiledModel, ['prior', 'decoder', 'vqDecoder']]
] as const)('the whole pipeline gives what diffusers gives, with %s', (_kind, model, compiled) => {
  let pipeline: Pipeline
  beforeAll(async () => {
    // The networks are so small that a second thread only waits.
    pipeline = await Pipeline.load(model, { threads: 1 })
  })
  afterAll(() => pipeline.dispose())

  test('uses them', () => {
    expect(pipeline.artefacts.filter(({ kind }) => kind === 'aoti').map(({ stage }) => stage)).toEqual(compiled)
  })

  test.each(Object.keys(cases.generate))('%s', async name => {
    const options = (await withTensors(cases.generate[name]!)) as unknown as GenerateOptions
    const expected = await values(`${name}/embeddings`, `${name}/pixels`)
    const { images } = await pipeline.generate(options)
    await expectPixels(images, expected[`${name}/pixels`]!)

    const { decoderSteps, decoderTimesteps, decoderGuidanceScale, ...prior } = options
    using embeddings = await pipeline.prior(prior)
    expect(await relativeDifference(embeddings.tensor, expected[`${name}/embeddings`]!)).toBeLessThan(EMBEDDINGS)
    const decoder = Object.fromEntries(
      Object.entries({ decoderSteps, decoderTimesteps, decoderGuidanceScale }).filter(([, value]) => value !== undefined)
    )
    const decoded = await pipeline.decode(embeddings, decoder)
    expect(decoded.images.map(image => image.data)).toEqual(images.map(image => image.data))
  })

  test.each(Object.keys(cases.decode))('%s', async name => {
    const { embeddings, ...options } = (await withTensors(cases.decode[name]!)) as unknown as {
      embeddings: Tensor
    } & DecodeOptions
    const expected = await values(`${name}/pixels`)
    const { images } = await pipeline.decode(embeddings, options)
    await expectPixels(images, expected[`${name}/pixels`]!)
  })
})

test('two threads give it, too', async () => {
  await using pipeline = await Pipeline.load(smallModel, { threads: 2 })
  const { images } = await pipeline.generate((await withTensors(cases.generate['uniform steps']!)) as unknown as GenerateOptions)
  await expectPixels(images, (await values('uniform steps/pixels'))['uniform steps/pixels']!)
})

/** The options with their tensors in place of the names. */
async function withTensors(options: Record<string, unknown>): Promise<Record<string, unknown>> {
  const entries = Object.entries(options).map(
    async ([key, value]): Promise<[string, unknown]> =>
      TENSORS.includes(key) ? [key, (await values(value as string))[value as string]] : [key, value]
  )
  return Object.fromEntries(await Promise.all(entries))
}

async function expectPixels(images: readonly GeneratedImage[], expected: Tensor): Promise<void> {
  const [count, height, width] = expected.shape
  expect(images.map(image => [image.height, image.width])).toEqual(new Array(count).fill([height, width]))
  const [actual, wanted] = [Buffer.concat(images.map(image => image.data)), (await expected.data()) as Uint8Array]
  expect(largest(actual, wanted)).toBeLessThanOrEqual(PIXELS)
  expect(wanted.filter((value, index) => value !== actual[index]).length / wanted.length).toBeLessThan(ROUNDED_OTHERWISE)
}
