import type { Curve, LightModel } from './light.js'
import { adaptation, multiply } from './matrix.js'

/**
 * What an ICC profile of three curves and a matrix says (ICC.1:2022, 8.3.3). Undefined for all other profiles, and for such
 * that are not sound. littlecms approximates such profiles by a table of 33 steps a side where values have 16 bits. That is off
 * by 5/255 where colours leave sRGB, and these profiles are the most frequent ones.
 */
export function matrixProfile(icc: Buffer): LightModel | undefined {
  try {
    const name = (at: number) => icc.toString('latin1', at, at + 4)
    if (name(36) !== 'acsp' || name(16) !== 'RGB ' || name(20) !== 'XYZ ') return undefined
    const tags = new Map<string, Buffer>()
    for (let tag = 0, at = 132; tag < Math.min(MOST_TAGS, icc.readUInt32BE(128)); tag++, at += 12) {
      const [from, size] = [icc.readUInt32BE(at + 4), icc.readUInt32BE(at + 8)]
      if (from + size > icc.length) return undefined
      tags.set(name(at), icc.subarray(from, from + size))
    }
    // Tables stand above the matrix.
    if (['A2B0', 'A2B1', 'A2B2', 'D2B0', 'D2B1', 'D2B2'].some(table => tags.has(table))) return undefined
    const columns = ['rXYZ', 'gXYZ', 'bXYZ'].map(tag => xyz(tags.get(tag)!))
    const [red, green, blue] = ['rTRC', 'gTRC', 'bTRC'].map(tag => curveOf(tags.get(tag)!))
    if (red === undefined || green === undefined || blue === undefined) return undefined
    // littlecms then takes what is darkest for black.
    if (red(0) !== 0 || green(0) !== 0 || blue(0) !== 0) return undefined
    return {
      curves: [red, green, blue],
      toXyz: multiply(
        FROM_D50,
        [0, 1, 2].flatMap(row => columns.map(column => column[row]!))
      )
    }
  } catch (error) {
    // Numbers past an end, and tags that are not there.
    if (error instanceof RangeError || error instanceof TypeError) return undefined
    throw error
  }
}

/** littlecms reads no profile with more. */
const MOST_TAGS = 100

/** The white of a profile's XYZ (ICC.1:2022, 7.2.16). */
const FROM_D50 = adaptation([0.9642, 1, 0.8249])

const fixed = (data: Buffer, at: number) => data.readInt32BE(at) / 65536

function xyz(tag: Buffer): readonly number[] {
  return [fixed(tag, 8), fixed(tag, 12), fixed(tag, 16)]
}

function curveOf(tag: Buffer): Curve | undefined {
  const type = tag.toString('latin1', 0, 4)
  if (type === 'curv') return sampled(tag)
  return type === 'para' ? parametric(tag) : undefined
}

/** A `curv`: nothing, an exponent, or values at equal distances (ICC.1:2022, 10.6). */
function sampled(tag: Buffer): Curve {
  const count = tag.readUInt32BE(8)
  if (count === 0) return value => value
  if (count === 1) {
    const gamma = tag.readUInt16BE(12) / 256
    return value => value ** gamma
  }
  if (12 + count * 2 > tag.length) throw new RangeError('past the end')
  return value => {
    const place = value * (count - 1)
    const below = Math.min(count - 2, Math.floor(place))
    const [from, to] = [tag.readUInt16BE(12 + below * 2), tag.readUInt16BE(14 + below * 2)]
    return (from + (to - from) * (place - below)) / 65_535
  }
}

/** A `para`: a power above d, and below d a line (ICC.1:2022, 10.18). */
function parametric(tag: Buffer): Curve | undefined {
  const kind = tag.readUInt16BE(8)
  const count = [1, 3, 4, 5, 7][kind]
  if (count === undefined) return undefined
  const [g, a = 1, b = 0, third = 0, fourth = 0, e = 0, f = 0] = Array.from({ length: count }, (_, index) =>
    fixed(tag, 12 + index * 4)
  )
  const power = (value: number) => Math.max(0, a * value + b) ** g!
  if (kind === 0) return power
  if (kind === 1) return value => (value >= -b / a ? power(value) : 0)
  if (kind === 2) return value => (value >= -b / a ? power(value) + third : third)
  return value => (value >= fourth ? power(value) + e : third * value + f)
}
