import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Embeddings, Stage, Tensor, WuerstchenError, type Dtype } from '../../lib/index.js'
import { smallModel } from '../support/small-model.js'

/** WUERSTCHEN_TEST_RUNS is how many calls are made, WUERSTCHEN_TEST_SEED repeats a run. Failures print their seed and path. */
const numRuns = Number(process.env['WUERSTCHEN_TEST_RUNS'] ?? 10_000)
const seed = Number(process.env['WUERSTCHEN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
console.error(`fast-check: seed ${seed}, ${numRuns} runs`)

/** What each dtype takes, and bytes an element. */
const ARRAYS: [Dtype, string, number][] = [
  ['float32', 'Float32Array', 4],
  ['float64', 'Float64Array', 8],
  ['int64', 'BigInt64Array', 8],
  ['int32', 'Int32Array', 4],
  ['int16', 'Int16Array', 2],
  ['int8', 'Int8Array', 1],
  ['uint8', 'Uint8Array', 1],
  ['uint8', 'Uint8ClampedArray', 1],
  ['bool', 'Uint8Array', 1],
  ['float16', 'Uint16Array', 2],
  ['bfloat16', 'Uint16Array', 2]
]

type Memory = 'plain' | 'shared' | 'resizable' | 'growable' | 'tracking' | 'shrunk' | 'detached'
type Views = Record<string, new (buffer: ArrayBufferLike, offset: number, length?: number) => NodeJS.TypedArray>
type Sized = new (length: number, options?: { maxByteLength: number }) => ArrayBuffer & { resize(length: number): void }

/** A typed array on memory of a kind, with every byte another. */
function arrayOn(memory: Memory, name: string, size: number, offset: number, count: number): NodeJS.TypedArray {
  const bytes = (offset + count) * size
  const [Plain, Shared] = [ArrayBuffer as unknown as Sized, SharedArrayBuffer as unknown as Sized]
  const room = { maxByteLength: bytes + 64 }
  const buffer =
    memory === 'shared'
      ? new Shared(bytes)
      : memory === 'growable'
        ? new Shared(bytes, room)
        : memory === 'plain' || memory === 'detached'
          ? new Plain(bytes)
          : new Plain(bytes, room)
  // A bool has no other values than these.
  new Uint8Array(buffer).forEach((_, index, all) => (all[index] = name === 'Uint8Array' ? index % 2 : (index * 37 + 1) % 256))
  const View = (globalThis as unknown as Views)[name]!
  const view = memory === 'tracking' ? new View(buffer, offset * size) : new View(buffer, offset * size, count)
  if (memory === 'shrunk') buffer.resize(0)
  if (memory === 'detached') structuredClone(buffer, { transfer: [buffer] })
  return view
}

const side = fc.oneof(
  { weight: 12, arbitrary: fc.nat(6) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(-1, 1.5, NaN, Infinity, 2 ** 53 - 1, 2 ** 53, 2 ** 31, '4', 4n, null, undefined, -0)
  }
)
const calls = fc.record({
  array: fc.constantFrom(...ARRAYS),
  memory: fc.constantFrom<Memory>('plain', 'plain', 'shared', 'resizable', 'growable', 'tracking', 'shrunk', 'detached'),
  offset: fc.nat(3),
  shape: fc.array(side, { maxLength: 9 }),
  fits: fc.boolean(),
  count: fc.nat(40),
  asked: fc.constantFrom('own', 'own', 'own', 'none', 'other')
})

test('Tensor.from gives a tensor of exactly these bytes, or refuses by name', async () => {
  let [made, refused] = [0, 0]
  await fc.assert(
    fc.asyncProperty(calls, async ({ array: [dtype, name, size], memory, offset, shape, fits, count, asked }) => {
      const sound = shape.length <= 8 && shape.every(each => Number.isSafeInteger(each) && (each as number) >= 0)
      const product = sound ? (shape as number[]).reduce((all, each) => all * each, 1) : NaN
      const elements = fits && product <= 5000 ? product : count
      const data = arrayOn(memory, name, size, offset, elements)
      const chosen = asked === 'own' ? dtype : asked === 'none' ? undefined : dtype === 'int8' ? 'int16' : 'int8'
      const natural = asked === 'own' || (asked === 'none' && name !== 'Uint16Array')
      const expected = memory === 'shrunk' ? 0 : elements
      const overflows = sound && !Number.isSafeInteger((shape as number[]).reduce((all, each) => all * Math.max(1, each), 1))
      const takes = sound && natural && memory !== 'detached' && product === expected && !overflows
      const bytes = memory === 'detached' ? undefined : Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
      let tensor: Tensor
      try {
        tensor = Tensor.from(data, shape as number[], chosen)
      } catch (error) {
        refused++
        expect(error).toMatchObject({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT' })
        expect(['shape', 'dtype', 'data']).toContain((error as WuerstchenError).subject)
        expect(takes).toBe(false)
        return
      }
      made++
      expect(takes).toBe(true)
      const back = await tensor.data()
      expect(tensor.shape).toEqual((shape as number[]).map(each => each + 0))
      expect(tensor.dtype).toBe(chosen ?? (name === 'Uint8ClampedArray' ? 'uint8' : dtype === 'bool' ? 'uint8' : dtype))
      expect(Buffer.from(back.buffer, back.byteOffset, back.byteLength).equals(bytes!)).toBe(true)
      tensor.dispose()
    }),
    { numRuns, seed }
  )
  console.error(`Tensor.from: ${made} made, ${refused} refused`)
  expect(Math.min(made, refused)).toBeGreaterThan(numRuns / 10)
})

/** One thing that a program may do with what it holds; `at` says with which of them. */
type Deed = { kind: 'create' | 'to' | 'data' | 'dispose' | 'run' | 'slice' | 'wrap' | 'settle'; at: number }

const deeds = fc.array(
  fc.record<Deed>({
    kind: fc.constantFrom('create', 'create', 'to', 'data', 'dispose', 'dispose', 'run', 'slice', 'wrap', 'settle'),
    at: fc.nat(20)
  }),
  { minLength: 1, maxLength: 20, size: 'max' }
)

/** Embeddings own the tensor that they wrap. */
function wrap(tensor: Tensor, andDispose: boolean): void {
  const embeddings = Embeddings.from(tensor)
  if (andDispose) embeddings.dispose()
  expect(tensor.disposed).toBe(andDispose)
}

test('no order of create, to, data, slice, run and dispose does more than refuse what was disposed of', async () => {
  await using stage = await Stage.load(join(smallModel, 'previewer.float32.cpu.pt'), { threads: 1 }).catch(() =>
    Stage.load(join(smallModel, 'vqDecoder.float32.cpu.pt'), { threads: 1 })
  )
  const [channels] = Object.values(stage.functions)[0]!.inputs.map(input => Number(input.shape[1]))
  const shape = [1, channels!, 2, 2]
  const count = shape.reduce((all, each) => all * each)
  let [done, disposed] = [0, 0]
  await fc.assert(
    fc.asyncProperty(deeds, async all => {
      const held: Tensor[] = []
      const pending: Promise<unknown>[] = []
      /** What was asked of a live tensor is done, also if it is disposed of afterwards. Of a disposed one it is refused. */
      const ask = <T>(tensor: Tensor, work: () => Promise<T>, check: (result: T) => void) => {
        const wasLive = !tensor.disposed
        pending.push(
          work().then(
            result => {
              done++
              expect(wasLive).toBe(true)
              check(result)
            },
            (error: unknown) => {
              disposed++
              expect(error).toMatchObject({ name: 'WuerstchenError', code: 'DISPOSED' })
              expect(wasLive).toBe(false)
            }
          )
        )
      }
      for (const { kind, at } of all) {
        const tensor = held[at % Math.max(1, held.length)]
        if (kind === 'create' || tensor === undefined) held.push(Tensor.from(new Float32Array(count).fill(at), shape))
        else if (kind === 'to')
          ask(
            tensor,
            () => tensor.to(at % 2 ? 'float16' : 'cpu'),
            made => held.push(made)
          )
        else if (kind === 'data')
          ask(
            tensor,
            () => tensor.data(),
            data => expect(data.length).toBe(count)
          )
        else if (kind === 'run' && tensor.dtype === 'float32')
          ask(
            tensor,
            () => stage.run([tensor]),
            ([out]) => out!.dispose()
          )
        else if (kind === 'slice')
          ask(
            tensor,
            () => tensor.data(),
            data => held.push(Tensor.from(data.subarray(), tensor.shape, tensor.dtype))
          )
        else if (kind === 'wrap' && !tensor.disposed) wrap(tensor, at % 2 === 0)
        else if (kind === 'settle') await Promise.all(pending.splice(0))
        else tensor.dispose()
      }
      await Promise.all(pending)
      for (const tensor of held) tensor.dispose()
    }),
    { numRuns, seed }
  )
  console.error(`interleavings: ${numRuns} of up to 20 calls, ${done} calls done, ${disposed} refused as DISPOSED`)
  expect(Math.min(done, disposed)).toBeGreaterThan(numRuns / 10)
})
