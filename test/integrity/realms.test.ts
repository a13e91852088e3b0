import { createContext, runInContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Embeddings, readParameters, Tensor } from '../../lib/index.js'
import { captureImage } from '../../lib/image/input.js'
import { modelPath } from '../../lib/model/directory.js'
import { expectTimesteps } from '../../lib/plan/timesteps.js'
import { QUICK, withPipeline } from '../support/small-model.js'

/** What test runners do: the caller's code has other globals than the package. */
const context = createContext({})
const foreign = <T>(code: string) => runInContext(code, context) as T
const refused = (subject: string) => expect.objectContaining({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT', subject })

test('the values here are of another realm', () => {
  expect(foreign('new Float32Array(1)')).not.toBeInstanceOf(Float32Array)
  expect(foreign('new ArrayBuffer(1)')).not.toBeInstanceOf(ArrayBuffer)
})

test.each([
  ['Float32Array', 'float32'],
  ['Float64Array', 'float64'],
  ['Int32Array', 'int32'],
  ['Int16Array', 'int16'],
  ['Int8Array', 'int8'],
  ['Uint8Array', 'uint8'],
  ['Uint8ClampedArray', 'uint8']
])('a tensor is made of a %s of another realm', async (name, dtype) => {
  for (const code of [`${name}.of(1, 2, 3)`, `new ${name}(new SharedArrayBuffer(24), 8, 1).fill(7)`]) {
    const data = foreign<Float32Array>(code)
    using tensor = Tensor.from(data, foreign<number[]>(`[${data.length}]`))
    expect(tensor.dtype).toBe(dtype)
    expect([...((await tensor.data()) as Float32Array)]).toEqual([...data])
  }
})

test('half types and integers of 64 bits too', async () => {
  using half = Tensor.from(foreign<Uint16Array>('Uint16Array.of(0x3c00)'), [1], 'float16')
  using long = Tensor.from(foreign<BigInt64Array>('BigInt64Array.of(-5n)'), [1])
  expect([half.dtype, await long.data()]).toEqual(['float16', BigInt64Array.of(-5n)])
  expect(() => Tensor.from(foreign('new Uint32Array(1)'), [1])).toThrow(refused('data'))
  expect(() => Tensor.from(foreign('new DataView(new ArrayBuffer(4))'), [1])).toThrow(refused('data'))
})

test('what a typed array says of itself does not count, but what it is', async () => {
  const data = Object.defineProperties(Float32Array.of(1, 2), {
    length: { value: 1000 },
    byteLength: { value: 4000 },
    buffer: { value: new ArrayBuffer(4000) },
    [Symbol.toStringTag]: { value: 'Int32Array' }
  })
  using tensor = Tensor.from(data, [2])
  expect([tensor.dtype, await tensor.data()]).toEqual(['float32', Float32Array.of(1, 2)])
  expect(() => Tensor.from(data, [1000])).toThrow(refused('shape'))
  expect(() => Tensor.from(Object.setPrototypeOf(new Uint32Array(2), Float32Array.prototype), [2])).toThrow(refused('data'))
})

test('a shape that detaches the data while it is read is refused', () => {
  const data = new Float32Array(4)
  const shape = Object.defineProperty([0], 0, {
    get() {
      structuredClone(data, { transfer: [data.buffer] })
      return 4
    }
  })
  expect(() => Tensor.from(data, shape)).toThrow(refused('data'))
})

test.each<[string, unknown]>([
  ['a product that overflows beside a zero', [0, 2 ** 53 - 1, 2 ** 53 - 1]],
  ['a product that overflows', [2 ** 53 - 1, 2 ** 53 - 1]],
  ['nine dimensions', new Array(9).fill(0)],
  ['200001 dimensions', new Array(200_001).fill(0)],
  ['a sparse list', Object.assign(new Array(2), { 1: 0 })],
  ['strings', ['0']],
  ['a typed array', new Float64Array(1)]
])('a shape of %s is refused', (_name, shape) => {
  expect(() => Tensor.from(new Uint8Array(0), shape as number[])).toThrow(refused('shape'))
})

test('an image is taken from bytes, pixels and URLs of another realm', () => {
  const bytes = Buffer.from([1, 2, 3])
  for (const code of ['Uint8Array.of(1, 2, 3)', 'Uint8Array.of(1, 2, 3).buffer', 'new Uint8Array([0, 1, 2, 3]).subarray(1)'])
    expect(captureImage('image', foreign(code))).toEqual({ kind: 'file', name: 'image', bytes })
  for (const kind of ['Uint8Array', 'Uint8ClampedArray'])
    expect(captureImage('image', foreign(`({ data: ${kind}.of(1, 2, 3), width: 1, height: 1 })`))).toMatchObject({
      kind: 'raw',
      bytes
    })
  const shared = new Uint8Array(new SharedArrayBuffer(3))
  shared.set(bytes)
  expect(captureImage('image', shared)).toMatchObject({ kind: 'file', bytes })
  expect(captureImage('image', shared.buffer)).toMatchObject({ kind: 'file', bytes })
  const url = { href: 'file:///a/b%20c.png', protocol: 'file:' }
  expect(captureImage('image', url)).toEqual({ kind: 'path', name: 'image', path: '/a/b c.png' })
  expect(modelPath(url)).toBe('/a/b c.png')
})

test('an image is not taken from memory that is gone, or from another address', () => {
  const gone = (bytes: Uint8Array<ArrayBuffer>) => {
    structuredClone(bytes, { transfer: [bytes.buffer] })
    return bytes
  }
  expect(() => captureImage('image', gone(new Uint8Array(3)))).toThrow(refused('image'))
  expect(() => captureImage('image', gone(new Uint8Array(3)).buffer)).toThrow(refused('image'))
  expect(() => captureImage('image', { data: gone(new Uint8Array(3)), width: 1, height: 1 })).toThrow(refused('image.data'))
  for (const url of ['http://example.org/a.png', 'file://host/a.png', 'file:///a%2fb', 'file:///a%00b', 'data:,'])
    expect(() => captureImage('image', new URL(url)), url).toThrow(refused('image'))
  expect(() => modelPath(new URL('file://host/model'))).toThrow(refused('modelDir'))
})

test('files are read from bytes of another realm', async () => {
  using embeddings = Embeddings.from(Tensor.from(new Float32Array(144).fill(2), [1, 16, 3, 3]))
  const bytes = foreign<Uint8Array>(`Uint8Array.from([${[...(await embeddings.toBuffer())].join()}])`)
  using back = await Embeddings.load(bytes)
  expect(await back.tensor.data()).toEqual(await embeddings.tensor.data())
  for (const code of ['Uint8Array.of(1)', 'new ArrayBuffer(3)', 'new SharedArrayBuffer(3)'])
    await expect(readParameters(foreign(code)), code).rejects.toThrow(/cannot be read/)
  // jsdom has a Blob of its own.
  const blob = foreign<(list: number[]) => Blob>(
    '(list => ({ size: list.length, type: "", arrayBuffer: async () => Uint8Array.from(list).buffer }))'
  )
  using again = await Embeddings.load(blob([...(await embeddings.toBuffer())]))
  expect(again.length).toBe(1)
  expect(captureImage('image', blob([1]))).toMatchObject({ kind: 'blob' })
})

test('noise levels are taken from typed arrays of another realm', () => {
  for (const code of ['[1, 0.5, 0]', 'Float64Array.of(1, 0.5, 0)', 'Float32Array.of(1, 0.5, 0)'])
    expect(expectTimesteps('priorTimesteps', foreign(code))).toEqual(Float64Array.of(1, 0.5, 0))
  expect(() => expectTimesteps('priorTimesteps', foreign('Int8Array.of(1, 0)'))).toThrow(refused('priorTimesteps'))
})

test('a call takes options and a signal of another realm, and obeys the signal', () =>
  withPipeline(async pipeline => {
    const options = foreign<typeof QUICK>(`(${JSON.stringify({ ...QUICK, prompt: ['a cat'], seeds: [3] })})`)
    expect((await pipeline.generate(options)).seeds).toEqual([3])
    const signal = foreign<AbortSignal & { abort(reason: unknown): void }>(`
      ({ aborted: false, reason: undefined, listeners: [],
        addEventListener(_, listener) { this.listeners.push(listener) }, removeEventListener() {},
        abort(reason) { this.aborted = true; this.reason = reason; for (const listener of this.listeners) listener() } })`)
    const reason = foreign<Error>('new Error("enough")')
    const long = pipeline.generate({ ...QUICK, priorSteps: 500, signal, onStep: () => signal.abort(reason) })
    await expect(long).rejects.toBe(reason)
    await expect(pipeline.generate({ ...QUICK, signal })).rejects.toBe(reason)
    await expect(pipeline.generate({ ...QUICK, signal: Object.create(AbortSignal.prototype) as AbortSignal })).rejects.toEqual(
      refused('signal')
    )
  }))
