import { join } from 'node:path'
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Embeddings, Tensor, type Dtype } from '../../lib/index.js'
import { encodeSafetensors, readSafetensors } from '../../lib/values/safetensors.js'
import { withDirectory } from '../support/small-model.js'

describe('a tensor', () => {
  test.each<[Dtype, NodeJS.ArrayBufferView]>([
    ['float32', Float32Array.of(1, -2.5, NaN, Infinity)],
    ['float64', Float64Array.of(1, 2, 3, 1e300)],
    ['int64', BigInt64Array.of(1n, -2n, 2n ** 62n, 0n)],
    ['int32', Int32Array.of(1, -2, 3, 4)],
    ['int16', Int16Array.of(1, -2, 3, 4)],
    ['int8', Int8Array.of(1, -2, 3, 4)],
    ['uint8', Uint8Array.of(1, 2, 3, 255)],
    ['bool', Uint8Array.of(1, 0, 1, 1)],
    ['float16', Uint16Array.of(0x3c00, 0xc000, 0, 0x7c00)],
    ['bfloat16', Uint16Array.of(0x3f80, 0xc000, 0, 0x7f80)]
  ])('of %s gives its data back', async (dtype, data) => {
    using tensor = Tensor.from(data, [2, 2], dtype)
    expect(tensor).toMatchObject({ shape: [2, 2], dtype, device: 'cpu', disposed: false })
    const back = await tensor.data()
    expect(Buffer.from(back.buffer, back.byteOffset, back.byteLength)).toEqual(
      Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    )
  })

  test('copies what it is given, also a part of a larger array', async () => {
    const data = Float32Array.of(0, 1, 2, 3)
    using tensor = Tensor.from(data.subarray(1, 3), [2])
    data.fill(9)
    expect(await tensor.data()).toEqual(Float32Array.of(1, 2))
  })

  test('copies what threads share', async () => {
    const data = new Float32Array(new SharedArrayBuffer(8))
    data.set([1, 2])
    using tensor = Tensor.from(data, [2])
    data.fill(9)
    expect(await tensor.data()).toEqual(Float32Array.of(1, 2))
  })

  test('is converted to another dtype as torch does', async () => {
    using tensor = Tensor.from(Float32Array.of(1, -2, 0.5, 3.14159), [4])
    using half = await tensor.to('bfloat16')
    expect(await half.data()).toEqual(Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0x4049))
    using back = await half.to('float32')
    expect(((await back.data()) as Float32Array)[3]).toBeCloseTo(3.140625, 6)
    using here = await tensor.to('cpu')
    expect(await here.data()).toEqual(await tensor.data())
    await expect(tensor.to('cuda:9')).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' })
  })

  test('may be empty or have no dimensions', async () => {
    using empty = Tensor.from(new Float32Array(0), [0, 3])
    using scalar = Tensor.from(Float32Array.of(7), [])
    expect([await empty.data(), await scalar.data()]).toEqual([new Float32Array(0), Float32Array.of(7)])
  })

  test('takes exactly the shapes whose product is the number of elements', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { maxLength: 5 }), fc.nat(60), (shape, count) => {
        const fits = shape.reduce((product, size) => product * size, 1) === count
        try {
          Tensor.from(new Float32Array(count), shape).dispose()
          return fits
        } catch (error) {
          return !fits && (error as { code: string }).code === 'INVALID_ARGUMENT'
        }
      })
    )
  })

  test.each<[string, unknown, unknown, RegExp]>([
    ['a Uint16Array without dtype', new Uint16Array(1), undefined, /float16 or bfloat16/],
    ['floats as integers', new Float32Array(1), 'int32', /float32, which is what data can hold/],
    ['an unknown dtype', new Float32Array(1), 'float8', /float32/],
    ['a list', [1], undefined, /a typed array/],
    ['unsigned integers', new Uint32Array(1), undefined, /a typed array/],
    ['a DataView', new DataView(new ArrayBuffer(4)), undefined, /a typed array/]
  ])('is not made of %s', (_name, data, dtype, message) => {
    expect(() => Tensor.from(data as Float32Array, [1], dtype as Dtype)).toThrow(message)
  })
})

describe('a safetensors file', () => {
  test('keeps tensors of every dtype, and text', () =>
    withDirectory(async directory => {
      const file = join(directory, 'a.safetensors')
      using a = Tensor.from(Float32Array.of(1, 2, 3), [3, 1])
      using b = Tensor.from(Uint16Array.of(1, 2), [2], 'bfloat16')
      using c = Tensor.from(BigInt64Array.of(-1n), [1])
      writeFileSync(file, await encodeSafetensors({ a, b, c }, { note: 'ä 猫' }))
      const { tensors, metadata } = await readSafetensors(file, ['c', 'a', 'b'])
      expect(metadata).toEqual({ note: 'ä 猫' })
      expect(tensors['a']).toMatchObject({ shape: [3, 1], dtype: 'float32' })
      expect([await tensors['a']!.data(), await tensors['b']!.data(), await tensors['c']!.data()]).toEqual([
        Float32Array.of(1, 2, 3),
        Uint16Array.of(1, 2),
        BigInt64Array.of(-1n)
      ])
      expect(readFileSync(file).readBigUInt64LE(0) % 8n).toBe(0n)
    }))

  test('that is spoilt in any place is refused or read, never worse', () =>
    withDirectory(async directory => {
      const file = join(directory, 'a.safetensors')
      using a = Tensor.from(Float32Array.of(1, 2, 3), [3])
      writeFileSync(file, await encodeSafetensors({ a }, {}))
      const sound = readFileSync(file)
      await fc.assert(
        fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
          const bytes = Buffer.from(cut ? sound.subarray(0, at) : sound)
          if (!cut) bytes[at] = value
          writeFileSync(file, bytes)
          try {
            const { tensors } = await readSafetensors(file, ['a'])
            tensors['a']!.dispose()
          } catch (error) {
            expect(error).toMatchObject({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT' })
          }
        }),
        { numRuns: 300 }
      )
    }))
})

describe('embeddings', () => {
  test('come back from a file with their origins', () =>
    withDirectory(async directory => {
      const file = join(directory, 'e.safetensors')
      const origin = { seed: 5, prompt: 'a cat', negativePrompt: '', priorTimesteps: [1, 0], priorGuidanceScale: 4 }
      using embeddings = new Embeddings(Tensor.from(new Float32Array(16 * 9).fill(3), [1, 16, 3, 3]), [77], [origin])
      await embeddings.toFile(file)
      using back = await Embeddings.load(file)
      expect({ seeds: back.seeds, offsets: back.randomOffsets, origins: back.origins, shape: back.tensor.shape }).toEqual({
        seeds: [5],
        offsets: [77],
        origins: [origin],
        shape: [1, 16, 3, 3]
      })
      expect(await back.tensor.data()).toEqual(await embeddings.tensor.data())
    }))

  test('may come from any file with such a tensor', () =>
    withDirectory(async directory => {
      const file = join(directory, 'e.safetensors')
      using tensor = Tensor.from(new Float32Array(2 * 16 * 9), [2, 16, 3, 3])
      writeFileSync(file, await encodeSafetensors({ embeddings: tensor }, { format: 'pt' }))
      using back = await Embeddings.load(file)
      expect(back).toMatchObject({ length: 2, seeds: [undefined, undefined] })
      writeFileSync(file, await encodeSafetensors({ other: tensor }, {}))
      await expect(Embeddings.load(file)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }))

  test.each([[[16, 3, 3]], [[1, 1, 16, 3, 3]], [[1, 16, 0, 3]]])('do not have the shape %j', shape => {
    const count = shape.reduce((product, size) => product * size, 1)
    expect(() => Embeddings.from(Tensor.from(new Float32Array(count), shape))).toThrow(
      /\[images, channels, gridHeight, gridWidth\]/
    )
  })
})
