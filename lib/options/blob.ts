import { types } from 'node:util'
import { WuerstchenError } from '../errors.js'
import { viewOf } from './bytes.js'
import { reading } from './read.js'

/** What is used of a `Blob` or a `File`, whose class depends on the realm and on the library. */
export interface BlobLike {
  /** Bytes. */
  readonly size: number
  /** Its media type. It is not used. */
  readonly type: string
  /** All of its bytes. */
  arrayBuffer(): Promise<ArrayBuffer>
}

/** The value if it is a `Blob` or a `File`. */
export function blobOf(name: string, value: unknown): BlobLike | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { size, type, arrayBuffer } = reading(name, () => {
    const { size, type, arrayBuffer } = value as BlobLike
    return { size, type, arrayBuffer }
  })
  return typeof size === 'number' && typeof type === 'string' && typeof arrayBuffer === 'function'
    ? (value as BlobLike)
    : undefined
}

/**
 * The bytes of a blob, which cannot change while they are read.
 * @param most the size is looked at before anything is read, for a blob may stand for a file of any size
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readBlob(name: string, blob: BlobLike, most: number): Promise<Buffer> {
  const refuse = (detail: string, cause?: unknown) =>
    new WuerstchenError('INVALID_ARGUMENT', `Expected a Blob of at most ${most} bytes for ${name} but ${detail}`, {
      subject: name,
      cause
    })
  const size: unknown = reading(name, () => blob.size)
  if (!(typeof size === 'number' && size <= most)) throw refuse(`it has ${String(size)}`)
  const content: unknown = await (async () => blob.arrayBuffer())().catch((error: unknown) => {
    throw refuse('it cannot be read', error)
  })
  const bytes = types.isAnyArrayBuffer(content) ? viewOf(content) : undefined
  if (bytes === undefined || bytes.length > most) throw refuse('reading it gave something else')
  return Buffer.from(bytes)
}
