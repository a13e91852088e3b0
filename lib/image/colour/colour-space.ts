import type { Curve, LightModel } from './light.js'
import { D65, SRGB_PRIMARIES, xyzFrom, type Primaries } from './matrix.js'

/** What a value stands for. A number is an exponent: light is the value to its power. `pq` and `hlg` are those of BT.2100. */
export type Transfer = number | 'srgb' | 'pq' | 'hlg'

/** A colour space that a file names without an ICC profile. */
export interface ColourSpace {
  primaries: Primaries
  transfer: Transfer
  /** Whether black and white are 16/255 and 235/255, as in video. */
  narrow: boolean
}

/** Colour primaries by their code points (ITU-T H.273, table 2). */
const PRIMARIES: Readonly<Record<number, Primaries>> = {
  1: SRGB_PRIMARIES,
  4: [0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316],
  5: [0.64, 0.33, 0.29, 0.6, 0.15, 0.06, ...D65],
  6: [0.63, 0.34, 0.31, 0.595, 0.155, 0.07, ...D65],
  7: [0.63, 0.34, 0.31, 0.595, 0.155, 0.07, ...D65],
  9: [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, ...D65],
  11: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351],
  12: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, ...D65],
  22: [0.63, 0.34, 0.295, 0.605, 0.155, 0.077, ...D65]
}

/**
 * Transfer characteristics by their code points (ITU-T H.273, table 3). 1, 6, 7, 14 and 15 describe cameras, and not what a
 * display makes of their values. They are read as sRGB, which is what still images with these code points were made for.
 */
const TRANSFERS: Readonly<Record<number, Transfer>> = {
  1: 'srgb',
  4: 2.2,
  5: 2.8,
  6: 'srgb',
  7: 'srgb',
  8: 1,
  13: 'srgb',
  14: 'srgb',
  15: 'srgb',
  16: 'pq',
  18: 'hlg'
}

/** The space that code points of H.273 name. A half that they leave open is sRGB's. Undefined where they leave both open. */
export function spaceOf(primaries: number, transfer: number, narrow: boolean): ColourSpace | undefined {
  const [named, curve] = [PRIMARIES[primaries], TRANSFERS[transfer]]
  if (named === undefined && curve === undefined) return undefined
  return { primaries: named ?? SRGB_PRIMARIES, transfer: curve ?? 'srgb', narrow }
}

export function isSrgb({ primaries, transfer, narrow }: ColourSpace): boolean {
  return transfer === 'srgb' && !narrow && primaries.every((value, index) => Math.abs(value - SRGB_PRIMARIES[index]!) < SAME)
}

/** Encoders round chromaticities. A difference of this size moves no colour by a step of 8 bits. */
const SAME = 0.0005

export function lightModel({ primaries, transfer, narrow }: ColourSpace): LightModel {
  const decode = CURVES[transfer as keyof typeof CURVES] ?? ((value: number) => value ** (transfer as number))
  const curve: Curve = narrow ? value => decode(Math.min(1, Math.max(0, (value * 255 - 16) / 219))) : decode
  return { curves: [curve, curve, curve], toXyz: xyzFrom(primaries), ...(transfer === 'hlg' ? { gain: hlgGain } : {}) }
}

/** BT.2408's reference white in cd/m²: what paper white is in images of BT.2100. What is brighter is shown as white. */
const REFERENCE_WHITE = 203
/** The display that HLG is computed for, in cd/m², and the exponent of its OOTF (BT.2100, table 5). */
const [HLG_PEAK, HLG_GAMMA] = [1000, 1.2]

const CURVES: Readonly<Record<Exclude<Transfer, number>, Curve>> = {
  srgb: value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4),
  // The EOTF of SMPTE ST 2084 (BT.2100, table 4).
  pq: value => {
    const [m1, m2, c1, c2, c3] = [2610 / 16384, (2523 / 4096) * 128, 3424 / 4096, (2413 / 4096) * 32, (2392 / 4096) * 32]
    const power = value ** (1 / m2)
    return (10_000 * (Math.max(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)) / REFERENCE_WHITE
  },
  // The inverse OETF: light of the scene (BT.2100, table 5).
  hlg: value => {
    const [a, b, c] = [0.17883277, 0.28466892, 0.55991073]
    return value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - c) / a) + b) / 12
  }
}

/** The OOTF: from light of the scene to light of the display. */
function hlgGain(luminance: number): number {
  return (HLG_PEAK * luminance ** (HLG_GAMMA - 1)) / REFERENCE_WHITE
}
