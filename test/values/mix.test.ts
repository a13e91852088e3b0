import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Embeddings, Tensor } from '../../lib/index.js'
import { encodeSafetensors } from '../../lib/values/safetensors.js'
import { withDirectory } from '../support/small-model.js'

const refused = (code: string) => expect.objectContaining({ name: 'WuerstchenError', code }) as Error
const of = (value: number, shape = [1, 16, 3, 3]) =>
  Embeddings.from(Tensor.from(new Float32Array(shape.reduce((a, b) => a * b)).fill(value), shape))
const valuesOf = async ({ tensor }: Embeddings) => [...((await tensor.data()) as Float32Array)]

describe('mix', () => {
  test("is the mean, weighted as asked; the weights' sum does not matter", async () => {
    const parts = [of(1), of(4)]
    for (const [weights, expected] of [
      [undefined, 2.5],
      [[1, 1], 2.5],
      [[0.25, 0.75], 3.25],
      [[2, 6], 3.25],
      [[1, 0], 1],
      [[-0.5, 1.5], 5.5]
    ] as const) {
      using mix = await Embeddings.mix(parts, weights)
      expect(new Set(await valuesOf(mix))).toEqual(new Set([expected]))
    }
  })

  test('remembers its parts, also those of what was mixed before', async () => {
    using first = await Embeddings.mix([of(0), of(2)], [1, 3])
    using second = await Embeddings.mix([first, of(1)])
    expect(second.origins).toEqual([{ mixedFrom: [{ weight: 0.125 }, { weight: 0.375 }, { weight: 0.5 }] }])
  })

  test('takes half types, and gives float32', async () => {
    using half = Embeddings.from(await of(1.5).tensor.to('float16'))
    using mix = await Embeddings.mix([half, of(2.5)])
    expect(mix.tensor.dtype).toBe('float32')
    expect((await valuesOf(mix))[0]).toBe(2)
  })

  test.each<[string, () => Promise<unknown>, string?]>([
    ['another grid', () => Embeddings.mix([of(1), of(1, [1, 16, 3, 6])])],
    ['another number', () => Embeddings.mix([of(1), of(1, [2, 16, 3, 3])])],
    ['nothing', () => Embeddings.mix([])],
    ['no list', () => Embeddings.mix(of(1) as never)],
    ['a tensor, whose space nobody knows', () => Embeddings.mix([of(1).tensor as never])],
    ['too few weights', () => Embeddings.mix([of(1), of(2)], [1])],
    ['weights that cancel out', () => Embeddings.mix([of(1), of(2)], [1, -1])],
    ['a weight of NaN', () => Embeddings.mix([of(1), of(2)], [1, NaN])],
    ['a hole among the weights', () => Embeddings.mix([of(1), of(2)], new Array(2) as never)],
    ['infinite values', () => Embeddings.mix([of(Infinity)])],
    [
      'what was disposed',
      () => {
        const gone = of(1)
        gone.dispose()
        return Embeddings.mix([gone])
      },
      'DISPOSED'
    ]
  ])('refuses %s', async (_name, call, code = 'INVALID_ARGUMENT') => {
    await expect(call()).rejects.toThrow(refused(code))
  })
})

describe('interpolate', () => {
  test('goes straight from one to the other, ends included', async () => {
    using path = await Embeddings.interpolate(of(-1), of(3), 5)
    expect(path.length).toBe(5)
    expect((await valuesOf(path)).filter((_, index) => index % 144 === 0)).toEqual([-1, 0, 1, 2, 3])
    expect(path.origins.map(({ mixedFrom }) => mixedFrom!.map(({ weight }) => weight))).toEqual([
      [1, 0],
      [0.75, 0.25],
      [0.5, 0.5],
      [0.25, 0.75],
      [0, 1]
    ])
  })

  test.each<[string, () => Promise<unknown>]>([
    ['one step', () => Embeddings.interpolate(of(1), of(2), 1)],
    ['half a step', () => Embeddings.interpolate(of(1), of(2), 2.5)],
    ['several at once', () => Embeddings.interpolate(of(1, [2, 16, 3, 3]), of(2, [2, 16, 3, 3]), 3)],
    ['another grid', () => Embeddings.interpolate(of(1), of(2, [1, 16, 3, 6]), 3)]
  ])('refuses %s', async (_name, call) => {
    await expect(call()).rejects.toThrow(refused('INVALID_ARGUMENT'))
  })
})

describe('files', () => {
  test('are half as large in float16: 18 KiB for a picture of 1024 × 1024', () =>
    withDirectory(async directory => {
      const [whole, half] = [join(directory, 'whole.safetensors'), join(directory, 'half.safetensors')]
      using embeddings = of(0.5, [1, 16, 24, 24])
      await embeddings.toFile(whole)
      await embeddings.toFile(half, { dtype: 'float16' })
      const data = 16 * 24 * 24 * 2 // 18 KiB
      expect((await stat(half)).size - data).toBeLessThan(300)
      expect((await stat(whole)).size - 2 * data).toBeLessThan(300)
      using again = await Embeddings.load(half)
      expect(again.tensor).toMatchObject({ dtype: 'float16', shape: [1, 16, 24, 24] })
      using mix = await Embeddings.mix([again])
      expect(new Set(await valuesOf(mix))).toEqual(new Set([0.5]))
    }))

  test("say their space, and those of Stage C's are refused", () =>
    withDirectory(async directory => {
      const path = join(directory, 'z.safetensors')
      using tensor = Tensor.from(new Float32Array(144), [1, 16, 3, 3])
      await writeFile(path, await encodeSafetensors({ embeddings: tensor }, { space: 'z' }))
      await expect(Embeddings.load(path)).rejects.toThrow('in the space "z"')
      await writeFile(path, await encodeSafetensors({ embeddings: tensor }, {}))
      using plain = await Embeddings.load(path)
      expect(plain.space).toBe('e')
    }))

  test('remember what was encoded and mixed', () =>
    withDirectory(async directory => {
      const path = join(directory, 'mix.safetensors')
      using mix = await Embeddings.mix([of(0), of(2)], [1, 3])
      await mix.toFile(path)
      using again = await Embeddings.load(path)
      expect(again.origins).toEqual(mix.origins)
    }))
})
