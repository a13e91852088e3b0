import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Embeddings, Pipeline, Tensor, type EditOptions, type GenerateResult, type VaryOptions } from '../../lib/index.js'
import { smallModel, withPipeline } from '../support/small-model.js'

const SIDE = 128
/** Few steps: these tests are about what comes in and out, not about pictures. */
const FEW = { priorSteps: 4, decoderSteps: 2, seed: 7 }

/** A picture of its own for each number. */
const picture = (number: number, side = SIDE) => ({
  data: Uint8Array.from(
    { length: side * side * 3 },
    (_, index) => ((index % side) * (number + 1) + Math.floor(index / side) * number + number * 40) & 255
  ),
  width: side,
  height: side
})
const square = (from: number, to: number, side = SIDE) => ({
  data: Uint8Array.from({ length: side * side }, (_, index) =>
    [index % side, Math.floor(index / side)].every(at => at >= from && at < to) ? 255 : 0
  ),
  width: side,
  height: side
})
const refused = (code: string) => expect.objectContaining({ name: 'WuerstchenError', code }) as Error
const dataOf = ({ images }: GenerateResult) => images.map(image => image.data)

/** The largest difference of two pictures, in steps of 1/255. */
function difference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length)
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0)
}

let pipeline: Pipeline
beforeAll(async () => {
  pipeline = await Pipeline.load(smallModel, { threads: 1 })
})
afterAll(() => pipeline.dispose())

describe('encodeImage', () => {
  test('gives embeddings that know their picture, alone or in a list', async () => {
    using both = await pipeline.encodeImage([picture(1), picture(2)])
    using second = await pipeline.encodeImage(
      await sharp(picture(2).data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
        .png()
        .toBuffer()
    )
    expect(both.tensor).toMatchObject({ shape: [2, 16, 3, 3], dtype: 'float32' })
    expect(both).toMatchObject({ length: 2, space: 'e', seeds: [undefined, undefined] })
    const [all, one] = [(await both.tensor.data()) as Float32Array, (await second.tensor.data()) as Float32Array]
    expect([...all.slice(144)]).toEqual([...one])
    expect(both.origins[1]!.input).toMatchObject({ operation: 'encode', fit: 'cover' })
    expect(second.origins[0]!.input!.sha256).not.toBe(both.origins[1]!.input!.sha256) // a file's bytes, not its pixels
  })

  test('fits the picture: its centre, or all of it', async () => {
    const wide = {
      data: Uint8Array.from({ length: 384 * 128 * 3 }, (_, index) => (index % (384 * 3)) & 255),
      width: 384,
      height: 128
    }
    using cover = await pipeline.encodeImage(wide)
    using fill = await pipeline.encodeImage(wide, { width: 128, height: 128, fit: 'fill' })
    using whole = await pipeline.encodeImage(wide, { width: 384 })
    expect([cover, fill, whole].map(({ tensor }) => tensor.shape)).toEqual([
      [1, 16, 3, 3],
      [1, 16, 3, 3],
      [1, 16, 3, 9]
    ])
    expect([...((await cover.tensor.data()) as Float32Array)]).not.toEqual([...((await fill.tensor.data()) as Float32Array)])
  })

  test('embeddings decode many times, and say what they are of', async () => {
    using embeddings = await pipeline.encodeImage(picture(3))
    const first = await pipeline.decode(embeddings, { seed: 1, decoderSteps: 1 })
    const second = await pipeline.decode(embeddings, { seed: 2, decoderSteps: 1 })
    expect(difference(first.images[0]!.data, second.images[0]!.data)).toBeGreaterThan(0)
    expect(first.images[0]!.parameters).toMatchObject({ prompt: '', seed: 1, input: { operation: 'encode' } })
    expect(first.images[0]!.parameters.givenTensors).toBeUndefined()
    expect(dataOf(await pipeline.reconstruct(picture(3), { seed: 2, decoderSteps: 1 }))).toEqual(dataOf(second))
  })
})

describe('reconstruct, vary and edit', () => {
  test('at strength 0 a variation is the reconstruction, bit for bit', async () => {
    const { decoderSteps, seed } = FEW
    const reconstruction = await pipeline.reconstruct(picture(1), { decoderSteps, seed })
    expect(dataOf(await pipeline.vary(picture(1), { ...FEW, strength: 0 }))).toEqual(dataOf(reconstruction))
    expect(reconstruction.images[0]!.parameters).toMatchObject({ input: { operation: 'reconstruct' }, seed })
    expect(reconstruction.images[0]!.parameters.priorTimesteps).toBeUndefined()
  })

  test("without a prompt a variation has no guidance, with one the model's; steps are the strength's share", async () => {
    const parameters = async (options: VaryOptions) =>
      (await pipeline.vary(picture(1), { ...FEW, ...options })).images[0]!.parameters
    const plain = await parameters({ strength: 0.5 })
    expect(plain).toMatchObject({ prompt: '', priorGuidanceScale: 0, input: { operation: 'vary', strength: 0.5 } })
    expect(plain.priorTimesteps).toHaveLength(3)
    expect(plain.priorTimesteps!.at(-1)).toBe(0)
    expect(await parameters({ strength: 1, prompt: 'a cat' })).toMatchObject({
      prompt: 'a cat',
      priorGuidanceScale: 4,
      priorTimesteps: [1, 0.75, 0.5, 0.25, 0]
    })
  })

  test('every picture of a call is that of its single run', async () => {
    const images = [1, 2, 3].map(number => picture(number))
    const prompt = ['a cat', 'a dog', 'a ship']
    const mask = [square(30, 90), square(0, 64), square(64, 128)]
    const calls: [(image: number[], options: { seeds: number[]; n: number }) => Promise<GenerateResult>][] = [
      [
        (which, options) =>
          pipeline.vary(
            which.map(index => images[index]!),
            { ...FEW, seed: undefined, strength: 0.6, ...options } as VaryOptions
          )
      ],
      [
        (which, options) =>
          pipeline.edit(
            which.map(index => images[index]!),
            {
              ...FEW,
              seed: undefined,
              prompt: which.map(index => prompt[index]!),
              mask: which.map(index => mask[index]!),
              ...options
            } as unknown as EditOptions
          )
      ]
    ]
    for (const [run] of calls) {
      const together = await run([0, 1, 2], { seeds: [10, 11, 20, 21, 30, 31], n: 2 })
      expect(together.seeds).toEqual([10, 11, 20, 21, 30, 31])
      for (const [index, seed] of together.seeds.entries()) {
        const alone = await run([Math.floor(index / 2)], { seeds: [seed], n: 1 })
        // Kernels may differ by batch size: 1/255, as everywhere.
        expect(difference(alone.images[0]!.data, together.images[index]!.data)).toBeLessThanOrEqual(1)
        expect(alone.images[0]!.parameters.input).toEqual(together.images[index]!.parameters.input)
      }
    }
  })

  test("with a mask every pixel outside is the original's, at every size and seam", async () => {
    for (const [side, feather] of [
      [128, undefined],
      [256, 0],
      [128, 20]
    ] as const) {
      const [image, mask] = [picture(5, side), square(side / 4, side / 2, side)]
      const { images } = await pipeline.edit(image, {
        ...FEW,
        prompt: 'a cat',
        mask,
        width: side,
        height: side,
        ...(feather === undefined ? {} : { feather })
      })
      const changed = new Set<number>()
      images[0]!.data.forEach((value, index) => {
        if (value !== image.data[index]) changed.add(Math.floor(index / 3))
      })
      expect([...changed].filter(pixel => mask.data[pixel] === 0)).toEqual([])
      expect(changed.size).toBeGreaterThan(0)
      expect(images[0]!.parameters.input).toMatchObject({
        operation: 'edit',
        strength: 1,
        feather: feather ?? side / 64,
        maskSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string
      })
    }
  })

  test('a mask is fitted with its picture; an all-white one changes everything', async () => {
    const image = picture(2, 200)
    const { images } = await pipeline.edit(image, { ...FEW, prompt: 'a cat', mask: square(100, 200, 200) })
    expect(images[0]).toMatchObject({ width: 128, height: 128 })
    // The mask is the lower right quarter of 200 pixels, hence that of 128.
    const outside = await pipeline.edit(image, { ...FEW, prompt: 'a dog', mask: square(100, 200, 200) })
    images[0]!.data.forEach((value, index) => {
      const [x, y] = [Math.floor(index / 3) % 128, Math.floor(index / 384)]
      if (x < 63 || y < 63) expect(outside.images[0]!.data[index]).toBe(value)
    })
    const none = await pipeline.edit(image, { ...FEW, prompt: 'a cat', mask: square(0, 200, 200), strength: 0 })
    const { decoderSteps, seed } = FEW
    expect(dataOf(none)).toEqual(dataOf(await pipeline.reconstruct(image, { decoderSteps, seed, prompt: 'a cat' })))
  })

  test('the halves apart, several engines and one stage at a time give the same pictures', async () => {
    const options = { ...FEW, prompt: 'a cat', mask: square(30, 90) }
    const [expected] = dataOf(await pipeline.edit(picture(4), options))
    for (const place of [
      { device: { prior: 'cpu', decoder: 'cpu' } },
      { device: ['cpu', 'cpu'] },
      { residency: 'sequential' as const }
    ]) {
      await withPipeline(async other => {
        const [actual] = dataOf(await other.edit(picture(4), options))
        expect(difference(actual!, expected!)).toBeLessThanOrEqual(1)
      }, place)
    }
  })

  test('a picture made here is a picture like any other', async () => {
    const {
      images: [made]
    } = await pipeline.generate({ prompt: 'a cat', width: 128, height: 128, priorSteps: 1, decoderSteps: 1 })
    const { images } = await pipeline.vary(made!, FEW)
    expect(images[0]).toMatchObject({ width: 128, height: 128 })
  })
})

describe('Stage A and Stage B by themselves', () => {
  test('latents go round, and decode refines them the further the more strength', async () => {
    using latents = await pipeline.encodeLatents([picture(1), picture(2)])
    expect(latents).toMatchObject({ shape: [2, 4, 32, 32], dtype: 'float32' })
    const decoded = await pipeline.decodeLatents(latents)
    expect(decoded.map(({ width, height, channels }) => [width, height, channels])).toEqual([
      [128, 128, 3],
      [128, 128, 3]
    ])
    using embeddings = await pipeline.encodeImage([picture(1), picture(2)])
    const distances = []
    for (const strength of [0, 0.5, 1]) {
      const { images } = await pipeline.decode(embeddings, { latents, strength, seed: 5, decoderSteps: 4 })
      expect(images[0]!.parameters).toMatchObject({ decoderStrength: strength, givenTensors: ['decoderSource'] })
      const sum = images[1]!.data.reduce((total, value, index) => total + Math.abs(value - decoded[1]!.data[index]!), 0)
      distances.push(sum / images[1]!.data.length)
    }
    expect(distances[0]).toBeLessThan(distances[1]!)
    expect(distances[1]).toBeLessThan(distances[2]!)
  })

  test('without a strength latents are start noise, as before', async () => {
    using embeddings = await pipeline.encodeImage(picture(1))
    using latents = Tensor.from(
      new Float32Array(4 * 32 * 32).map((_, index) => Math.sin(index)),
      [1, 4, 32, 32]
    )
    const { images } = await pipeline.decode(embeddings, { latents, seed: 5, decoderSteps: 2 })
    expect(images[0]!.parameters.givenTensors).toEqual(['decoderLatents'])
    await expect(pipeline.decode(embeddings, { strength: 0.5 })).rejects.toThrow(refused('INVALID_ARGUMENT'))
    await expect(pipeline.decode(embeddings, { latents, strength: 0.5, decoderTimesteps: [1, 0] })).rejects.toThrow(
      refused('INVALID_ARGUMENT')
    )
  })
})

describe('bad input is refused, and the next call works', () => {
  const image = picture(1)
  const prompt = 'a cat'
  const nan = Tensor.from.bind(Tensor, new Float32Array(144).fill(NaN), [1, 16, 3, 3])
  test.each<[string, () => Promise<unknown>]>([
    ['a strength below 0', () => pipeline.vary(image, { strength: -0.1 })],
    ['a strength above 1', () => pipeline.vary(image, { strength: 1.1 })],
    ['a strength of NaN', () => pipeline.edit(image, { prompt, strength: NaN })],
    ['a strength in words', () => pipeline.vary(image, { strength: '0.5' as never })],
    ['null for strength', () => pipeline.vary(image, { strength: null as never })],
    ['an edit without a prompt', () => pipeline.edit(image, {} as never)],
    ['an edit without options', () => (pipeline.edit as (image: unknown) => Promise<unknown>).call(pipeline, image)],
    ['an unknown option', () => pipeline.vary(image, { strenght: 0.5 } as never)],
    ['timesteps, which strength makes', () => pipeline.vary(image, { priorTimesteps: [1, 0] } as never)],
    ['a mask for a variation', () => pipeline.vary(image, { mask: square(0, 8) } as never)],
    ['a mask of another size', () => pipeline.edit(image, { prompt, mask: square(0, 64, 64) })],
    ['an empty mask', () => pipeline.edit(image, { prompt, mask: square(0, 0) })],
    ['two masks for one picture', () => pipeline.edit(image, { prompt, mask: [square(0, 8), square(0, 8)] })],
    ['no mask in a list', () => pipeline.edit(image, { prompt, mask: [] })],
    ['a feather without a mask', () => pipeline.edit(image, { prompt, feather: 2 })],
    ['a mask that is no picture', () => pipeline.edit(image, { prompt, mask: Buffer.from('x') })],
    ['no pictures', () => pipeline.vary([])],
    ['a hole in the list of pictures', () => pipeline.vary(new Array(2) as never)],
    ['two prompts for one picture', () => pipeline.edit(image, { prompt: ['a', 'b'] })],
    ['n of 0', () => pipeline.vary(image, { n: 0 })],
    ['too few seeds', () => pipeline.vary(image, { n: 2, seeds: [1] })],
    [
      'pictures of two sizes',
      () =>
        pipeline.encodeImage([picture(1), { data: new Uint8Array(600 * 100), width: 600, height: 100, channels: 1 }], {
          height: 128
        })
    ],
    ['a side the model cannot make', () => pipeline.encodeImage(image, { width: 100 })],
    ['a file of no bytes', () => pipeline.encodeImage(new Uint8Array(0))],
    ['a file that is not there', () => pipeline.reconstruct('missing.png')],
    ['NaN in embeddings', () => pipeline.decode(nan())],
    ['embeddings of a grid that cannot be decoded', () => pipeline.decode(Tensor.from(new Float32Array(16 * 4), [1, 16, 2, 2]))],
    ['latents of another size', async () => pipeline.decodeLatents(Tensor.from(new Float32Array(16), [1, 2, 2, 4]))],
    ['NaN in latents', async () => pipeline.decodeLatents(Tensor.from(new Float32Array(16).fill(NaN), [1, 4, 2, 2]))],
    ['NaN in a mix', () => Embeddings.mix([Embeddings.from(nan())])]
  ])('%s', async (_name, call) => {
    await expect(call()).rejects.toThrow(refused('INVALID_ARGUMENT'))
    const { images } = await pipeline.vary(image, { priorSteps: 1, decoderSteps: 1, strength: 0.5 })
    expect(images).toHaveLength(1)
  })

  test('a signal gives up before, while reading, and while denoising', async () => {
    const reason = new Error('enough')
    await expect(pipeline.vary(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(pipeline.encodeImage(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const early = new AbortController()
    const call = pipeline.edit(image, { prompt, signal: early.signal })
    early.abort(reason)
    await expect(call).rejects.toBe(reason)
    const late = new AbortController()
    const steps: string[] = []
    await expect(
      pipeline.vary(image, {
        ...FEW,
        strength: 1,
        signal: late.signal,
        onStep: ({ stage }) => {
          steps.push(stage)
          late.abort(reason)
        }
      })
    ).rejects.toBe(reason)
    expect(steps).toEqual(['prior'])
    const thrown = new Error('listener')
    await expect(
      pipeline.vary(image, {
        ...FEW,
        onStep: () => {
          throw thrown
        }
      })
    ).rejects.toBe(thrown)
  })

  test('a pipeline that is disposed ends what runs and refuses what comes', async () => {
    const other = await Pipeline.load(smallModel, { threads: 1 })
    const ended = expect(other.vary(image, FEW)).rejects.toThrow(refused('DISPOSED'))
    await other.dispose()
    await ended
    await expect(other.vary(image, FEW)).rejects.toThrow(refused('DISPOSED'))
    await expect(other.encodeImage(image)).rejects.toThrow(refused('DISPOSED'))
  })
})
