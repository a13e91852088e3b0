import { DTYPE_NAMES, DTYPES, dtypesOf, type TensorData } from '../dtypes.js'
import { disposed, invalid } from '../errors.js'
import { loadAddon } from '../load/addon.js'
import type { Dtype } from '../dtypes.js'
import type { TensorHandle } from '../native.js'
import { nativeCall } from '../load/native-call.js'
import { ownedBytes, viewOf } from '../options/bytes.js'
import { copyList } from '../options/read.js'

const MOST_DIMENSIONS = 8

/**
 * A handle to a tensor in LibTorch's memory. It holds one reference. `dispose()` releases it at once, and running work keeps its
 * own. Data is always copied in and out, and JavaScript never shares memory with LibTorch.
 */
export class Tensor implements Disposable {
  #handle: TensorHandle | undefined
  /** The dimensions, outermost first. A scalar has none. */
  readonly shape: readonly number[]
  /** The type of the elements. */
  readonly dtype: Dtype
  /** `cpu`, `cuda:0`, … */
  readonly device: string

  /** @internal Adopts `handle`: this object disposes of it. */
  constructor(handle: TensorHandle) {
    const { shape, dtype, device } = loadAddon().tensorInfo(handle)
    this.#handle = handle
    this.shape = Object.freeze(shape)
    this.dtype = dtype
    this.device = device
  }

  /**
   * Copies `data` into a tensor on the CPU.
   * @param data a typed array of any realm, also of memory that threads share or that can be resized; it is copied as it is now
   * @param shape at most 8 dimensions, outermost first; their product must be the number of elements
   * @param dtype defaults to the array's own; needed for a `Uint16Array`, which may hold float16 or bfloat16 bits
   * @throws WuerstchenError INVALID_ARGUMENT; OUT_OF_MEMORY
   */
  static from(data: NodeJS.ArrayBufferView, shape: readonly number[], dtype?: Dtype): Tensor {
    const possible = dtypesOf(data)
    if (possible.length === 0) throw invalid('data', 'a typed array', data)
    const dimensions = expectShape(shape)
    // The shape is the caller's code in the case of a proxy. It is read before the data, so that it cannot detach it in between.
    const bytes = viewOf(data)
    if (bytes === undefined) throw invalid('data', 'a typed array that has not been detached', data)
    const count = dimensions.reduce((product, size) => product * size, 1)
    const elements = bytes.length / DTYPES[possible[0]!].bytes
    if (elements !== count) throw invalid('shape', `dimensions with ${elements} elements, as many as data has,`, dimensions)
    return new Tensor(loadAddon().createTensor(ownedBytes(bytes), dimensions, chooseDtype(possible, dtype)))
  }

  /** @internal `instanceof` would also accept objects that only borrow the prototype. */
  static is(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #handle in value
  }

  /** The receiver of a method, which may have been borrowed for another object. */
  static #self(receiver: unknown): Tensor {
    if (!Tensor.is(receiver)) throw invalid('this', 'a Tensor', receiver)
    return receiver
  }

  /** Whether `dispose` was called. Every other call then throws or rejects with DISPOSED. */
  get disposed(): boolean {
    return Tensor.#self(this).#handle === undefined
  }

  /** @internal The live handle. */
  get handle(): TensorHandle {
    const handle = Tensor.#self(this).#handle
    if (handle === undefined) throw disposed('tensor')
    return handle
  }

  /**
   * Returns a copy on another device or in another dtype. This tensor does not change.
   * @param target a dtype, or `cpu`, `cuda` or `cuda:1`
   * @throws WuerstchenError INVALID_ARGUMENT, DEVICE_UNAVAILABLE, OUT_OF_MEMORY, DISPOSED
   */
  async to(target: Dtype | (string & {})): Promise<Tensor> {
    const { handle } = Tensor.#self(this)
    if (typeof target !== 'string' || !(DTYPE_NAMES.includes(target as Dtype) || /^(cpu|cuda(:\d{1,3})?)$/.test(target))) {
      throw invalid('target', `a device (cpu, cuda, cuda:1) or one of ${DTYPE_NAMES.join(', ')}`, target)
    }
    const isDtype = DTYPE_NAMES.includes(target as Dtype)
    return new Tensor(
      await nativeCall(() => loadAddon().tensorTo(handle, isDtype ? null : target, isDtype ? (target as Dtype) : null))
    )
  }

  /**
   * A copy of the elements, row by row, in the typed array of the dtype (bfloat16, and float16 on older runtimes:
   * `Uint16Array`).
   * @throws WuerstchenError OUT_OF_MEMORY, DISPOSED
   */
  async data(): Promise<TensorData> {
    const { handle, dtype } = Tensor.#self(this)
    return new DTYPES[dtype].array(await nativeCall(() => loadAddon().tensorData(handle)))
  }

  /** Frees the memory. It may be called again. */
  dispose(): void {
    const self = Tensor.#self(this)
    const handle = self.#handle
    self.#handle = undefined
    if (handle !== undefined) loadAddon().disposeTensor(handle)
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    Tensor.#self(this).dispose()
  }
}

/** Returns a tensor that has not been disposed of, and throws the typed error for anything else. */
export function expectTensor(name: string, value: unknown): Tensor {
  if (!Tensor.is(value)) throw invalid(name, 'a Tensor', value)
  if (value.disposed) throw disposed('tensor')
  return value
}

function expectShape(shape: unknown): number[] {
  const sizes = copyList('shape', shape, MOST_DIMENSIONS)
  if (sizes === undefined || !sizes.every((size): size is number => Number.isSafeInteger(size) && (size as number) >= 0))
    throw invalid('shape', `a list of at most ${MOST_DIMENSIONS} integers from 0 up`, sizes ?? shape)
  // Strides are products too, and LibTorch counts a dimension of 0 in them as 1.
  if (!Number.isSafeInteger(sizes.reduce((product, size) => product * Math.max(1, size), 1)))
    throw invalid('shape', 'dimensions whose product, without zeros, is below 2^53,', sizes)
  return sizes
}

function chooseDtype(possible: readonly Dtype[], dtype: Dtype | undefined): Dtype {
  if (dtype === undefined && possible.includes('bfloat16')) throw invalid('dtype', 'float16 or bfloat16 for a Uint16Array', dtype)
  const chosen = dtype ?? possible[0]!
  if (!possible.includes(chosen)) throw invalid('dtype', `${possible.join(' or ')}, which is what data can hold,`, dtype)
  return chosen
}
