import sharp, { type Sharp } from 'sharp'
import type { InputFormat } from '../sniff.js'
import { avifColours, isPremultiplied } from './avif-colours.js'
import { isSrgb, lightModel, type ColourSpace } from './colour-space.js'
import { divideByOpacity, toSrgb, type LightModel, type Pixels } from './light.js'
import { matrixProfile } from './matrix-profile.js'
import { pngColours } from './png-colours.js'

/**
 * A file's pixels upright and in sRGB, as a colour-managed viewer shows them, with their transparency.
 *
 * libvips follows the ICC profiles of files with 8 bits, and nothing else. So two kinds are brought to sRGB here: files that name
 * their colour space in another way, and files of more bits with a profile, which sharp brings to Display P3.
 */
export async function openInSrgb(bytes: Buffer, format: InputFormat, limitInputPixels: number): Promise<Sharp> {
  const open = (ignoreIcc: boolean) => sharp(bytes, { limitInputPixels, failOn: 'error', ignoreIcc }).autoOrient()
  const { depth, space, icc } = await open(false).metadata()
  const isDeep = depth === 'ushort'
  const named = namedColours(bytes, format, icc !== undefined)
  if (format === 'AVIF' && isPremultiplied(bytes)) {
    return converted(open(true), isDeep, named === undefined ? icc && matrixProfile(icc) : lightModel(named), divideByOpacity)
  }
  if (named !== undefined) return isSrgb(named) ? open(true) : converted(open(true), isDeep, lightModel(named))
  if (icc === undefined || !isDeep) return open(false)
  if (space === 'grey16') return byLittlecms(open(true), 'grey16')
  const profile = matrixProfile(icc)
  return profile === undefined ? byLittlecms(open(true), 'rgb16') : converted(open(true), isDeep, profile)
}

function namedColours(bytes: Buffer, format: InputFormat, hasProfile: boolean): ColourSpace | undefined {
  if (format === 'PNG') return pngColours(bytes, hasProfile)
  return format === 'AVIF' && !hasProfile ? avifColours(bytes) : undefined
}

async function converted(
  image: Sharp,
  isDeep: boolean,
  model: LightModel | undefined,
  first?: (pixels: Pixels) => Promise<void>
): Promise<Sharp> {
  const pixels = await rawPixels(image.toColourspace(isDeep ? 'rgb16' : 'srgb'), isDeep)
  await first?.(pixels)
  if (model !== undefined) await toSrgb(pixels, model)
  return reopen(pixels)
}

/**
 * Follows the profile of a file with 16 bits. sharp would go to Display P3, and leave out grey. Here it ignores the profile on
 * the way in and follows it on the way out. There, it takes a file whose profile is of no use for one in the space of its
 * pipeline's primaries. These are Display P3's for 16 bits, and sRGB's for scRGB, which is linear light in floats.
 */
async function byLittlecms(image: Sharp, space: 'rgb16' | 'grey16'): Promise<Sharp> {
  return reopen(await rawPixels(image.pipelineColourspace('scrgb').toColourspace(space).withIccProfile('srgb'), true))
}

async function rawPixels(image: Sharp, isDeep: boolean): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: isDeep ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels !== 3 && channels !== 4) throw new Error(`it has ${channels} channels`)
  return { data: isDeep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data, width, height, channels }
}

function reopen({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}
