import sharp, { type Sharp } from 'sharp'
import { WuerstchenError } from '../errors.js'
import type { NativePixels } from '../native.js'
import { LARGEST_SIDE } from '../options/sampling.js'
import { LARGEST_FILE } from './formats.js'
import { bytesOf, type CapturedImage } from './input.js'
import { INPUT_FORMATS, isAnimated, otherFormat, sniff } from './sniff.js'

/**
 * The most pixels of an image. A file's header is checked before anything is decoded, because a small file can claim any size.
 */
export const MOST_PIXELS = LARGEST_SIDE * LARGEST_SIDE

/** An image that was read: upright RGB, and the SHA-256 of the bytes that it came from. */
export interface SourceImage {
  pixels: NativePixels
  sha256: string
}

/** One byte a pixel. */
export interface SourceMask {
  width: number
  height: number
  data: Uint8Array
  sha256: string
}

/**
 * Reads an image. EXIF orientation is applied, transparency is laid on white, and grey, 16 bit and other colour spaces become
 * 8-bit sRGB.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readSource(image: CapturedImage): Promise<SourceImage> {
  const { data, width, height, sha256 } = await decode(image, '#ffffff', 'srgb', 3)
  return { pixels: { width, height, data }, sha256 }
}

/**
 * Reads a mask: the brightness of each pixel, 255 to change it, 0 to keep it. Transparency counts as black.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readMask(image: CapturedImage): Promise<SourceMask> {
  return decode(image, '#000000', 'b-w', 1)
}

async function decode(image: CapturedImage, background: string, space: 'srgb' | 'b-w', channels: number): Promise<SourceMask> {
  const { bytes, sha256 } = await bytesOf(image)
  if (image.kind !== 'raw') checkFormat(image.name, bytes)
  try {
    const input =
      image.kind === 'raw'
        ? sharp(bytes, { raw: { width: image.width, height: image.height, channels: image.channels } })
        : sharp(bytes, { limitInputPixels: MOST_PIXELS, failOn: 'error' })
    const { data, info } = await toBytes(input, background, space)
    if (info.channels !== channels) throw new Error(`it has ${info.channels} channels`)
    return { width: info.width, height: info.height, data, sha256 }
  } catch (error) {
    throw refuse(image.name, `it cannot be decoded: ${(error as Error).message.split('\n')[0]}`, error)
  }
}

async function toBytes(input: Sharp, background: string, space: 'srgb' | 'b-w') {
  return input
    .autoOrient()
    .flatten({ background })
    .toColourspace(space)
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
}

function checkFormat(name: string, bytes: Buffer): void {
  if (bytes.length === 0) throw refuse(name, 'it is empty')
  if (bytes.length > LARGEST_FILE) throw refuse(name, `it has ${bytes.length} bytes, more than ${LARGEST_FILE}`)
  const format = sniff(bytes)
  if (format === undefined) throw refuse(name, otherFormat(bytes))
  if (isAnimated(bytes, format)) throw refuse(name, `it is an animated ${format}`)
}

function refuse(name: string, detail: string, cause?: unknown): WuerstchenError {
  return new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected a ${INPUT_FORMATS.join(', ')} still image of at most ${MOST_PIXELS} pixels for ${name} but ${detail}`,
    { subject: name, cause }
  )
}
