import { invalid, WuerstchenError } from '../errors.js'
import type { Manifest } from '../model/manifest.js'
import { copyList, isList } from '../options/read.js'
import { targetOf, type FitOptions, type Target } from './fit.js'
import { captureImage, type CapturedImage } from './input.js'
import { readCutOut, readSource, type SourceImage } from './source.js'

/** The most images of one call. This is enough for any batch, and each image is held in memory as it was read. */
const MOST_IMAGES = 256

/** The images to read, copied from the call. */
export function captureImages(name: string, value: unknown): CapturedImage[]
export function captureImages<T>(name: string, value: unknown, capture: (name: string, item: unknown) => T): T[]
export function captureImages(name: string, value: unknown, capture: (name: string, item: unknown) => unknown = captureImage) {
  if (!isList(value)) return [capture(name, value)]
  const images = copyList(name, value, MOST_IMAGES)
  if (images === undefined || images.length === 0)
    throw invalid(name, `an image or a list of 1 to ${MOST_IMAGES} images`, images ?? value)
  return images.map((item, index) => capture(`${name}[${index}]`, item))
}

/** Images that were read, and the one size they are fitted to. */
export interface Sources {
  images: SourceImage[]
  target: Target
}

/**
 * @param cutsOut whether the image at an index is read with its transparency apart, because that is its mask
 * @throws WuerstchenError INVALID_ARGUMENT, also if images of one call would be fitted to different sizes
 */
export async function readSources(
  captured: readonly CapturedImage[],
  fit: FitOptions,
  manifest: Manifest,
  signal: AbortSignal | undefined,
  cutsOut: (index: number) => boolean = () => false
): Promise<Sources> {
  const images: SourceImage[] = []
  for (const [index, image] of captured.entries()) {
    images.push(await (cutsOut(index) ? readCutOut : readSource)(image))
    signal?.throwIfAborted()
  }
  const targets = images.map(({ pixels }) => targetOf(pixels, fit, manifest))
  const [first] = targets
  const other = targets.findIndex(({ width, height }) => width !== first!.width || height !== first!.height)
  if (other < 0) return { images, target: first! }
  const size = ({ width, height }: Target) => `${width}×${height}`
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected images that fit one size for ${captured[other]!.name} but received ${size(targets[other]!)} after ${size(first!)}. Give width and height, or use one call each`,
    { subject: captured[other]!.name }
  )
}
