import sharp from 'sharp'
import type { SourceMask } from './source.js'
import type { Manifest } from '../model/manifest.js'
import type { NativePixels } from '../native.js'
import type { Scalars } from '../options/sampling.js'
import { expectSide, validSides } from '../model/size.js'

/** `cover` fills the target and cuts off what is beside the centre; `fill` stretches. */
export type Fit = 'cover' | 'fill'

/** What a real image is fitted to. */
export interface FitOptions {
  /**
   * Pixels. If one side is given, the other follows the image's shape. If none is given, it is the image's own size, reduced in
   * its shape until it is no larger than the model's default size. Sides are then rounded to the nearest that the model can make.
   */
  width?: number
  /** Pixels, as `width`. */
  height?: number
  /** Defaults to `cover`. */
  fit?: Fit
}

export interface Target {
  width: number
  height: number
  fit: Fit
}

interface Size {
  width: number
  height: number
}

/** The options of a call. Sides that were left out depend on the image and are set later. */
export function fitOptions({ width, height, fit }: Scalars<'encodeImage'>, { constants }: Manifest): FitOptions {
  return {
    ...(width === undefined ? {} : { width: expectSide('width', width, constants) }),
    ...(height === undefined ? {} : { height: expectSide('height', height, constants) }),
    fit: fit ?? 'cover'
  }
}

/** The size an image is fitted to. */
export function targetOf(image: Size, { width, height, fit = 'cover' }: FitOptions, { constants, defaults }: Manifest): Target {
  const sides = validSides(constants)
  const scale =
    width !== undefined
      ? width / image.width
      : height !== undefined
        ? height / image.height
        : Math.min(1, defaults.width / image.width, defaults.height / image.height)
  return { width: width ?? nearest(sides, image.width * scale), height: height ?? nearest(sides, image.height * scale), fit }
}

/** Of two that are equally near, the smaller. */
function nearest(sides: readonly number[], wanted: number): number {
  return sides.reduce((best, side) => (Math.abs(side - wanted) < Math.abs(best - wanted) ? side : best))
}

/** The image at its target size, resized with a Lanczos filter. An image that already has that size is returned unchanged. */
export async function fitPixels(pixels: NativePixels, target: Target): Promise<NativePixels> {
  return { width: target.width, height: target.height, data: await resize(pixels, 3, target) }
}

/** The mask, fitted in the same way as the image. */
export async function fitMask(mask: SourceMask, target: Target): Promise<Uint8Array> {
  return resize(mask, 1, target)
}

async function resize(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  channels: 1 | 3,
  target: Target
): Promise<Uint8Array> {
  if (width === target.width && height === target.height) return data
  const image = sharp(data, { raw: { width, height, channels } })
    // A mask must not ring beyond its edges, because pixels outside it must stay exactly as they are.
    .resize(target.width, target.height, { fit: target.fit, position: 'centre', kernel: channels === 1 ? 'linear' : 'lanczos3' })
  return (channels === 1 ? image.toColourspace('b-w') : image).raw().toBuffer()
}
