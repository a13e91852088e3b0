import { inTurns } from '../turns.js'
import { multiply, SRGB_FROM_XYZ, type Matrix } from './matrix.js'

/** How values become light: a curve for each channel, then a matrix to XYZ with the white of sRGB. */
export interface LightModel {
  /** From [0, 1] to light, 1 for white. */
  curves: readonly [Curve, Curve, Curve]
  toXyz: Matrix
  /** What the light of a pixel is multiplied by, from its luminance. */
  gain?: (luminance: number) => number
}

export type Curve = (value: number) => number

/** RGB or RGBA, 8 or 16 bits. */
export interface Pixels {
  data: Uint8Array | Uint16Array
  width: number
  height: number
  channels: 3 | 4
}

/** Brings pixels to sRGB, in place. Of colours that sRGB does not have, each channel becomes the nearest that it can be. */
export async function toSrgb({ data, channels }: Pixels, { curves, toXyz, gain }: LightModel): Promise<void> {
  const most = data instanceof Uint8Array ? 255 : 65_535
  const [reds, greens, blues] = curves.map(curve => Float64Array.from({ length: most + 1 }, (_, value) => curve(value / most)))
  const coded = codes(most)
  const matrix = multiply(SRGB_FROM_XYZ, toXyz)
  await inTurns(data.length / channels, (begin, end) => {
    for (let at = begin * channels; at < end * channels; at += channels) {
      const [r, g, b] = [reds![data[at]!]!, greens![data[at + 1]!]!, blues![data[at + 2]!]!]
      const factor = gain === undefined ? 1 : gain(toXyz[3]! * r + toXyz[4]! * g + toXyz[5]! * b)
      for (let channel = 0; channel < 3; channel++) {
        const row = channel * 3
        const light = factor * (matrix[row]! * r + matrix[row + 1]! * g + matrix[row + 2]! * b)
        data[at + channel] = coded[Math.round(Math.min(1, Math.max(0, light)) * FINEST)]!
      }
    }
  })
}

/** Divides colours by their opacity, in place. */
export async function divideByOpacity({ data, channels }: Pixels): Promise<void> {
  if (channels === 3) return
  const most = data instanceof Uint8Array ? 255 : 65_535
  await inTurns(data.length / 4, (begin, end) => {
    for (let at = begin * 4; at < end * 4; at += 4) {
      const opacity = data[at + 3]!
      if (opacity === 0) continue
      for (let channel = at; channel < at + 3; channel++)
        data[channel] = Math.min(most, Math.round((data[channel]! * most) / opacity))
    }
  })
}

/** So many steps of light are told apart. In the dark, where sRGB's are the smallest, a step is a twentieth of one of 8 bits. */
const FINEST = 65_535

/** sRGB's value for each step of light (IEC 61966-2-1). */
function codes(most: number): Uint16Array {
  return Uint16Array.from({ length: FINEST + 1 }, (_, index) => {
    const light = index / FINEST
    return Math.round(most * (light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055))
  })
}
