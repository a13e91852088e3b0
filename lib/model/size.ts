import { WuerstchenError } from '../errors.js'
import { expectInteger } from '../options/is.js'
import { LARGEST_SIDE } from '../options/sampling.js'

/** The constants of a model that tie pixels to grids (published: 42.67 pixels a cell, 10.67 latents a cell). */
export interface SizeConstants {
  resolutionMultiple: number
  latentDimScale: number
  /** Defaults to `LATENT_UNIT`. */
  latentUnit?: number | undefined
  /** Defaults to `PIXELS_PER_LATENT`. */
  pixelsPerLatent?: number | undefined
}

/** The published Stage A turns one latent into this many pixels a side (two levels of two). */
export const PIXELS_PER_LATENT = 4

/**
 * The published Stage B unshuffles by 2 and halves three times. A side must be divisible by 2·2³, because otherwise its skip
 * connections do not fit.
 */
export const LATENT_UNIT = 16

/** Cells of Stage C's embedding for a side of `pixels`: ceil(pixels / resolutionMultiple), as in the reference. */
export function gridOf(pixels: number, constants: SizeConstants): number {
  return Math.ceil(pixels / constants.resolutionMultiple)
}

/** Latents of Stage B for a side of `grid` cells: int(grid · latentDimScale), as in the reference. */
export function latentOf(grid: number, constants: SizeConstants): number {
  return Math.trunc(grid * constants.latentDimScale)
}

/** Pixels that Stage A makes of so many latents along a side. */
export function sideOf(latents: number, { pixelsPerLatent = PIXELS_PER_LATENT }: SizeConstants): number {
  return latents * pixelsPerLatent
}

/** A side of `grid` cells in pixels, or undefined if Stage B cannot be run on it. */
export function pixelsOf(grid: number, constants: SizeConstants): number | undefined {
  const latent = latentOf(grid, constants)
  const pixels = sideOf(latent, constants)
  const fits = latent > 0 && latent % (constants.latentUnit ?? LATENT_UNIT) === 0
  return fits && gridOf(pixels, constants) === grid ? pixels : undefined
}

/** Every side up to `LARGEST_SIDE` that the constants allow; with the published ones, the multiples of 128. */
export function validSides(constants: SizeConstants): number[] {
  const sides: number[] = []
  for (let grid = 1; ; grid++) {
    const side = pixelsOf(grid, constants)
    if (sideOf(latentOf(grid, constants), constants) > LARGEST_SIDE) return sides
    if (side !== undefined) sides.push(side)
  }
}

/** Checks that the model gives back exactly as many pixels for a side. The error names the nearest sides for which it does. */
export function expectSide(name: string, value: unknown, constants: SizeConstants): number {
  const pixels = expectInteger(name, value, 1, LARGEST_SIDE)
  if (pixelsOf(gridOf(pixels, constants), constants) === pixels) return pixels
  const sides = validSides(constants)
  const near = [sides.filter(side => side < pixels).at(-1), sides.find(side => side > pixels)].filter(side => side !== undefined)
  const hint = ['It can make none', `The nearest is ${near[0]}`, `The nearest are ${near.join(' and ')}`][near.length]
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected a side this model can make for ${name} but received ${pixels} of type number. ${hint}`,
    { subject: name }
  )
}
