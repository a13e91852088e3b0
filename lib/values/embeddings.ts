import { isFloating } from '../dtypes.js'
import { disposed, invalid } from '../errors.js'
import type { EmbeddingOrigin, EmbeddingParts } from './embedding-parts.js'
import { encodeEmbeddings, readEmbeddings, SPACE } from './embeddings-file.js'
import { writeWhole } from '../files/write-file.js'
import { expectSameShape, expectWeights, interpolated, mixed } from './mix.js'
import { expectOneOf, expectString, optional } from '../options/is.js'
import { blobOf, readBlob, type BlobLike } from '../options/blob.js'
import { fileBytesOf } from '../options/bytes.js'
import { knownOptions } from '../options/known.js'
import { copyList } from '../options/read.js'
import { expectSignal } from '../options/signal.js'
import { LARGEST_FILE } from './safetensors.js'
import { expectTensor, type Tensor } from './tensor.js'

/** The most embeddings of one mix. */
const MOST_PARTS = 4096

/**
 * The output of Stage C, from which Stage B draws. The value can be saved, cached, and decoded any number of times. Each
 * embedding remembers its seed and how far its random stream was read. Decoding continues where the prior stopped, and gives the
 * image that `generate` would have given.
 */
export class Embeddings implements Disposable {
  readonly #tensor: Tensor
  /**
   * Stage B's space: e = 42 z − 1, where z is Stage C's space. Files name their space, and those that name another are refused.
   */
  readonly space = SPACE
  /** The seed of each embedding; undefined if the embedding came from elsewhere. */
  readonly seeds: readonly (number | undefined)[]
  /** The number of random normals drawn from each embedding's stream. */
  readonly randomOffsets: readonly number[]
  /** What made each embedding, as far as that is known. Files keep it. */
  readonly origins: readonly EmbeddingOrigin[]

  /** @internal */
  constructor(tensor: Tensor, randomOffsets: readonly number[], origins: readonly EmbeddingOrigin[]) {
    this.#tensor = tensor
    this.randomOffsets = Object.freeze([...randomOffsets])
    this.origins = Object.freeze([...origins])
    this.seeds = Object.freeze(origins.map(origin => origin.seed))
  }

  /**
   * Wraps a tensor (images, channels, gridHeight, gridWidth) in Stage B's space. Disposing of this value also disposes of the
   * tensor. Until then it stays yours. The published models have 16 channels. The calls that take embeddings refuse other
   * channels than their model has.
   * @throws WuerstchenError INVALID_ARGUMENT, DISPOSED
   */
  static from(tensor: Tensor): Embeddings {
    const { shape, dtype } = expectTensor('tensor', tensor)
    if (shape.length !== 4 || shape.some(size => size < 1)) {
      throw invalid('tensor.shape', '[images, channels, gridHeight, gridWidth]', shape)
    }
    if (!isFloating(dtype)) throw invalid('tensor.dtype', 'a floating dtype', dtype)
    const count = shape[0]!
    return new Embeddings(
      tensor,
      new Array<number>(count).fill(0),
      Array.from({ length: count }, () => ({}))
    )
  }

  /**
   * Reads what `toFile` or `toBuffer` wrote, or any safetensors file with a tensor `embeddings` of the right shape: from a path,
   * from bytes, or from a `Blob`. A file is a plain one of at most 1 GiB.
   * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY if the system refuses memory or a file descriptor
   */
  static async load(file: string | Uint8Array | ArrayBuffer | BlobLike): Promise<Embeddings> {
    const blob = blobOf('file', file)
    const bytes = blob === undefined ? fileBytesOf(file) : await readBlob('file', blob, LARGEST_FILE)
    const { tensor, randomOffsets, origins } = await readEmbeddings(bytes ?? expectString('file', file))
    let plain: Embeddings
    try {
      plain = Embeddings.from(tensor)
    } catch (error) {
      tensor.dispose()
      throw error
    }
    return origins.length === plain.length ? new Embeddings(tensor, randomOffsets, origins) : plain
  }

  /**
   * Writes a safetensors file: the tensor, and the origins in its metadata.
   * @param options `dtype: 'float16'` halves the file, to 18 KiB for an image of 1024 × 1024. Defaults to the tensor's own.
   *   `signal` ends a write that has not ended
   * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY, DISPOSED; the signal's reason
   */
  async toFile(path: string, options?: { dtype?: 'float32' | 'float16'; signal?: AbortSignal }): Promise<void> {
    const self = Embeddings.#self(this)
    const { dtype, signal } = knownOptions('toFile', options, ['dtype', 'signal'])
    const until = optional(signal, value => expectSignal('signal', value))
    await writeWhole(expectString('path', path), await encodeEmbeddings(self, optional(dtype, expectStored)), { signal: until })
  }

  /**
   * The same as the bytes of a file.
   * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY, DISPOSED
   */
  async toBuffer(options?: { dtype?: 'float32' | 'float16' }): Promise<Buffer> {
    const { dtype } = knownOptions('toBuffer', options, ['dtype'])
    return encodeEmbeddings(Embeddings.#self(this), optional(dtype, expectStored))
  }

  /**
   * The weighted mean of 1 to 4096 embeddings of one shape, float32 on the CPU.
   * @param weights one for each, with a sum above 0. They are divided by the sum. Defaults to equal weights
   * @throws WuerstchenError INVALID_ARGUMENT, DISPOSED
   */
  static async mix(embeddings: readonly Embeddings[], weights?: readonly number[]): Promise<Embeddings> {
    const list = copyList('embeddings', embeddings, MOST_PARTS)
    if (list === undefined || list.length === 0)
      throw invalid('embeddings', `a list of 1 to ${MOST_PARTS} Embeddings`, list ?? embeddings)
    const parts = list.map((value, index) => expectEmbeddings(`embeddings[${index}]`, value))
    expectSameShape(parts)
    return Embeddings.#of(await mixed(parts, expectWeights(weights, parts.length)))
  }

  /**
   * `n` embeddings in one value, on the straight line from `from` to `to`, both included. `from` and `to` have one embedding
   * each, of the same grid. Decode them with the same seed for all, because otherwise the noise changes from step to step too.
   * @throws WuerstchenError INVALID_ARGUMENT, DISPOSED
   */
  static async interpolate(from: Embeddings, to: Embeddings, n: number): Promise<Embeddings> {
    const parts = [expectEmbeddings('from', from), expectEmbeddings('to', to)] as const
    expectSameShape(parts)
    return Embeddings.#of(await interpolated(...parts, n))
  }

  static #of({ tensor, randomOffsets, origins }: EmbeddingParts): Embeddings {
    return new Embeddings(tensor, randomOffsets, origins)
  }

  /** @internal `instanceof` would also accept objects that only borrow the prototype. */
  static is(value: unknown): value is Embeddings {
    return typeof value === 'object' && value !== null && #tensor in value
  }

  /** The receiver of a method, which may have been borrowed for another object. */
  static #self(receiver: unknown): Embeddings {
    if (!Embeddings.is(receiver)) throw invalid('this', 'Embeddings', receiver)
    return receiver
  }

  /** (images, 16, gridHeight, gridWidth) in Stage B's space. */
  get tensor(): Tensor {
    return Embeddings.#self(this).#tensor
  }

  /** The number of images that these embeddings are for. */
  get length(): number {
    return Embeddings.#self(this).tensor.shape[0]!
  }

  /** Whether the tensor was disposed of. */
  get disposed(): boolean {
    return Embeddings.#self(this).tensor.disposed
  }

  /** Frees the tensor. It may be called again. */
  dispose(): void {
    Embeddings.#self(this).tensor.dispose()
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    Embeddings.#self(this).dispose()
  }
}

function expectStored(dtype: unknown): 'float32' | 'float16' {
  return expectOneOf('dtype', dtype, ['float32', 'float16'] as const)
}

/** Returns a value that has not been disposed of, and throws the typed error for anything else. */
export function expectEmbeddings(name: string, value: unknown): Embeddings {
  if (!Embeddings.is(value)) throw invalid(name, 'Embeddings', value)
  if (value.disposed) throw disposed('embeddings value')
  return value
}
