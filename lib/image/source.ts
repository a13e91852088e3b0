import sharp, { type Sharp } from 'sharp'
import { WuerstchenError } from '../errors.js'
import type { NativePixels } from '../native.js'
import { LARGEST_SIDE } from '../options/sampling.js'
import { openInSrgb } from './colour/open.js'
import { cutOut } from './cut-out.js'
import { LARGEST_FILE } from './formats.js'
import { bytesOf, type CapturedImage } from './input.js'
import { noiseOf, stretch } from './mask-levels.js'
import { INPUT_FORMATS, isAnimated, otherFormat, sniff, type InputFormat } from './sniff.js'

/**
 * The most pixels of an image. A file's header is checked before anything is decoded, because a small file can claim any size.
 */
const MOST_PIXELS = LARGEST_SIDE * LARGEST_SIDE

/** An image that was read: upright RGB, and the SHA-256 of the bytes that it came from. */
export interface SourceImage {
  pixels: NativePixels
  sha256: string
  /** What is transparent in it, as a mask. Only where it was asked for: then `pixels` are not laid on white. */
  transparency?: SourceMask
}

/** One byte a pixel. */
export interface SourceMask {
  width: number
  height: number
  data: Uint8Array
  sha256: string
}

/**
 * Reads an image. EXIF orientation is applied, transparency is laid on white, and all colours become 8-bit sRGB.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readSource(image: CapturedImage): Promise<SourceImage> {
  const { data, width, height, sha256 } = await decode(
    image,
    opened => opened.flatten({ background: '#ffffff' }).toColourspace('srgb'),
    3
  )
  return { pixels: { width, height, data }, sha256 }
}

/**
 * Reads a mask: the brightness of each pixel, 255 to change it, 0 to keep it. Transparency counts as black.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readMask(image: CapturedImage): Promise<SourceMask> {
  const { noise, ...mask } = await decode(image, opened => opened.flatten({ background: '#000000' }).toColourspace('b-w'), 1)
  stretch(mask.data, noise)
  return mask
}

/**
 * Reads an image with its transparency as a mask: 255 where it is transparent, 0 everywhere if it has no transparency.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function readCutOut(image: CapturedImage): Promise<SourceImage & { transparency: SourceMask }> {
  const { data, noise, width, height, sha256 } = await decode(image, opened => opened.toColourspace('srgb').ensureAlpha(), 4)
  const { colours, transparency } = await cutOut(data, width, height)
  stretch(transparency, noise)
  return { pixels: { width, height, data: colours }, sha256, transparency: { width, height, data: transparency, sha256 } }
}

interface Decoded extends SourceMask {
  /** How far black and white may be off, if it is a mask. */
  noise: number
}

async function decode(image: CapturedImage, finish: (opened: Sharp) => Sharp, channels: number): Promise<Decoded> {
  const { bytes, sha256 } = await bytesOf(image)
  const format = image.kind === 'raw' ? undefined : expectFormat(image.name, bytes)
  try {
    const opened =
      image.kind === 'raw'
        ? sharp(bytes, { raw: { width: image.width, height: image.height, channels: image.channels } })
        : await openInSrgb(bytes, format!, MOST_PIXELS)
    const { data, info } = await finish(opened).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    if (info.channels !== channels) throw new Error(`it has ${info.channels} channels`)
    return { width: info.width, height: info.height, data, sha256, noise: noiseOf(bytes, format) }
  } catch (error) {
    throw refuse(image.name, `it cannot be decoded: ${(error as Error).message.split('\n')[0]}`, error)
  }
}

function expectFormat(name: string, bytes: Buffer): InputFormat {
  if (bytes.length === 0) throw refuse(name, 'it is empty')
  if (bytes.length > LARGEST_FILE) throw refuse(name, `it has ${bytes.length} bytes, more than ${LARGEST_FILE}`)
  const format = sniff(bytes)
  if (format === undefined) throw refuse(name, otherFormat(bytes))
  if (isAnimated(bytes, format)) throw refuse(name, `it is an animated ${format}`)
  return format
}

function refuse(name: string, detail: string, cause?: unknown): WuerstchenError {
  return new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected a ${INPUT_FORMATS.join(', ')} still image of at most ${MOST_PIXELS} pixels for ${name} but ${detail}`,
    { subject: name, cause }
  )
}
