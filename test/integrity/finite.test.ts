import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, Tensor, type Dtype } from '../../lib/index.js'
import { expectFinite } from '../../lib/values/finite.js'
import { QUICK, smallModel } from '../support/small-model.js'

/** A number that is none becomes a plain black image, so it is refused by the name of its option. */

let pipeline: Pipeline
beforeAll(async () => {
  pipeline = await Pipeline.load(smallModel, { threads: 1 })
})
afterAll(() => pipeline.dispose())

/** A tensor of zeros with one other value, its last. */
async function tensorWith(value: number, shape: number[], dtype: Dtype = 'float32'): Promise<Tensor> {
  const data = new Float32Array(shape.reduce((all, each) => all * each))
  data[data.length - 1] = value
  using tensor = Tensor.from(data, shape)
  return tensor.to(dtype)
}

const TEXT = [1, 77, 40]
const DECODER_TEXT = [1, 77, 32]

describe.each<Dtype>(['float32', 'float16', 'bfloat16', 'float64'])('%s', dtype => {
  test.each([NaN, Infinity, -Infinity])('text embeddings with %s are refused', async value => {
    const text = await tensorWith(value, TEXT, dtype)
    const sound = await tensorWith(1, TEXT, dtype)
    await expect(pipeline.generate({ ...QUICK, promptEmbeds: text })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'promptEmbeds'
    })
    await expect(
      pipeline.generate({ ...QUICK, promptEmbeds: sound, negativePromptEmbeds: { prior: text } })
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'negativePromptEmbeds'
    })
  })

  test('text embeddings of finite numbers are taken', async () => {
    const text = await tensorWith(1000, TEXT, dtype)
    expect((await pipeline.generate({ ...QUICK, promptEmbeds: text })).images).toHaveLength(1)
  })
})

test('the largest and the smallest numbers of a dtype are finite', () => {
  expectFinite('x', Uint16Array.of(0x7bff, 0xfbff, 1, 0x8000), 'float16')
  expectFinite('x', Uint16Array.of(0x7f7f, 0xff7f, 0x7c00), 'bfloat16')
  expectFinite('x', Float32Array.of(3.4028234663852886e38, -1e-45), 'float32')
  for (const bits of [0x7c00, 0xfc00, 0x7e00, 0x7c01])
    expect(() => expectFinite('x', Uint16Array.of(0, bits), 'float16')).toThrow(/finite numbers for x/)
  for (const bits of [0x7f80, 0xff80, 0x7fc0, 0x7f81])
    expect(() => expectFinite('x', Uint16Array.of(0, bits), 'bfloat16')).toThrow(/finite numbers for x/)
})

test('latents, embeddings and mixtures with NaN are refused', async () => {
  const grid = [1, 16, 3, 3]
  const bad = Embeddings.from(await tensorWith(NaN, grid))
  const good = Embeddings.from(await tensorWith(1, grid))
  const noise = await tensorWith(NaN, grid)
  // One after the other: a promise that rejects while another one is waited for has no handler yet.
  const refusals: Record<string, () => Promise<unknown>> = {
    latents: () => pipeline.generate({ ...QUICK, latents: noise }),
    embeddings: () => pipeline.decode(bad, { decoderSteps: 1 }),
    'embeddings[1]': () => Embeddings.mix([good, bad]),
    'embeddings[0]': () => Embeddings.interpolate(bad, good, 3)
  }
  for (const [subject, call] of Object.entries(refusals))
    await expect(call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject })
  const latents = await tensorWith(Infinity, [1, 4, 32, 32])
  await expect(pipeline.decodeLatents(latents)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'latents' })
  await expect(pipeline.decode(good, { decoderSteps: 1, latents })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(pipeline.decode(good, { decoderSteps: 1, latents, strength: 0.5 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT'
  })
})

test('the tensors of a call may be disposed of as soon as it is made', async () => {
  const text = { prior: await tensorWith(1, TEXT), decoder: await tensorWith(1, DECODER_TEXT) }
  const latents = await tensorWith(1, [1, 16, 3, 3])
  const call = pipeline.generate({ ...QUICK, promptEmbeds: text, latents })
  for (const tensor of [text.prior, text.decoder, latents]) tensor.dispose()
  expect((await call).images).toHaveLength(1)
})
