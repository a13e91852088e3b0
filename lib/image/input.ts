import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { invalid, show, WuerstchenError } from '../errors.js'
import { codeOfFault, withFault } from '../files/file-fault.js'
import { readPlainFile } from '../files/plain-file.js'
import { blobOf, readBlob, type BlobLike } from '../options/blob.js'
import { fileBytesOf, kindOfArray, viewOf } from '../options/bytes.js'
import { filePathOf, isUrl } from '../options/file-url.js'
import { expectInteger } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { isList } from '../options/read.js'
import { LARGEST_SIDE } from '../options/sampling.js'
import { LARGEST_FILE } from './formats.js'
import type { GeneratedImage } from './generated-image.js'

/** Pixels without a file around them: sRGB, 8 bits, row by row. */
export interface RawImage {
  /** width · height · channels bytes. */
  data: Uint8Array | Uint8ClampedArray
  /** Pixels, 1 to 8192. */
  width: number
  /** Pixels, 1 to 8192. */
  height: number
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. Defaults to the number that the data's length gives. */
  channels?: 1 | 2 | 3 | 4
}

/** Pixels that a call gives: RGB. */
export interface RgbImage extends RawImage {
  /** width · height · 3 bytes. */
  data: Uint8Array
  /** RGB. */
  channels: 3
}

/**
 * An image to read: a file's path, a file's bytes, a `Blob` or `File`, raw pixels, or a `GeneratedImage`. Files are PNG, JPEG,
 * WebP or AVIF, of at most 256 MiB.
 */
export type ImageInput = string | URL | Uint8Array | ArrayBuffer | BlobLike | RawImage | GeneratedImage

/** A copy of what a call was given, so that the caller may change it at once. A blob cannot be changed. */
export type CapturedImage =
  | { kind: 'path'; name: string; path: string }
  | { kind: 'file'; name: string; bytes: Buffer }
  | { kind: 'blob'; name: string; blob: BlobLike }
  | { kind: 'raw'; name: string; bytes: Buffer; width: number; height: number; channels: 1 | 2 | 3 | 4 }

const EXPECTED = 'a path, the bytes of an image file, a Blob, or { data, width, height, channels }'

/** @throws WuerstchenError INVALID_ARGUMENT for a value that cannot be an image */
export function captureImage(name: string, value: unknown): CapturedImage {
  const path = typeof value === 'string' ? value : filePathOf(name, value)
  if (path !== undefined && path !== '' && !path.includes('\0')) return { kind: 'path', name, path }
  const bytes = fileBytesOf(value)
  if (bytes !== undefined) return { kind: 'file', name, bytes: Buffer.from(bytes) }
  const other =
    path !== undefined || isList(value) || ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) || isUrl(name, value)
  if (other || value === null || typeof value !== 'object') throw invalid(name, EXPECTED, value)
  const blob = blobOf(name, value)
  if (blob !== undefined) return { kind: 'blob', name, blob }
  return captureRaw(name, value)
}

function captureRaw(name: string, value: object): CapturedImage {
  // A GeneratedImage has parameters beside these.
  const given = knownOptions(name, value, ['data', 'width', 'height', 'channels', 'parameters'])
  // A response or a stream, say, which has none of them.
  if (given.data === undefined && given.width === undefined) throw invalid(name, EXPECTED, value)
  const width = expectInteger(`${name}.width`, given.width, 1, LARGEST_SIDE)
  const height = expectInteger(`${name}.height`, given.height, 1, LARGEST_SIDE)
  const data = /^Uint8(Clamped)?Array$/.test(kindOfArray(given.data) ?? '') ? viewOf(given.data) : undefined
  if (data === undefined) throw invalid(`${name}.data`, 'a Uint8Array', given.data)
  const channels = expectInteger(`${name}.channels`, given.channels ?? data.length / (width * height), 1, 4) as 1 | 2 | 3 | 4
  if (data.length !== width * height * channels)
    throw invalid(`${name}.data.length`, `${width * height * channels}, width · height · channels,`, data.length)
  return { kind: 'raw', name, bytes: Buffer.from(data), width, height, channels }
}

/**
 * The bytes that were captured, or those of the file, and their SHA-256. Metadata records nothing else about them.
 * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export async function bytesOf(image: CapturedImage): Promise<{ bytes: Buffer; sha256: string }> {
  const bytes = await contentOf(image)
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

async function contentOf(image: CapturedImage): Promise<Buffer> {
  switch (image.kind) {
    case 'path':
      return readImageFile(image.name, image.path)
    case 'blob':
      return readBlob(image.name, image.blob, LARGEST_FILE)
    case 'file':
    case 'raw':
      return image.bytes
  }
}

/**
 * The bytes of an image file.
 * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export async function readImageFile(name: string, path: string): Promise<Buffer> {
  return withFault(
    () => readPlainFile(path, LARGEST_FILE),
    fault =>
      new WuerstchenError(
        codeOfFault(fault, { unreadable: 'INVALID_ARGUMENT', unfit: 'INVALID_ARGUMENT' }),
        `Expected an image file for ${name} at ${show(path)} but ${fault.message}`,
        { subject: name, cause: fault.cause ?? fault }
      )
  )
}
