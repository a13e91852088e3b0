import { crc32 } from 'node:zlib'
import { IMAGE_DATA, pngChunks, pngCode } from '../png-chunks.js'
import { spaceOf, type ColourSpace } from './colour-space.js'
import { SRGB_PRIMARIES, type Primaries } from './matrix.js'

/**
 * The colour space that the chunks of a PNG name, where no ICC profile names it (PNG specification, third edition, 4.3): cICP
 * stands above a profile, which stands above sRGB, which stands above gAMA and cHRM.
 */
export function pngColours(bytes: Buffer, hasProfile: boolean): ColourSpace | undefined {
  const chunks = colourChunks(bytes)
  const cicp = chunks.get('cICP')
  const named = cicp?.length === 4 ? spaceOf(cicp[0]!, cicp[1]!, cicp[3] === 0) : undefined
  if (named !== undefined || hasProfile || chunks.has('sRGB')) return named
  const [gamma, primaries] = [gammaOf(chunks.get('gAMA')), primariesOf(chunks.get('cHRM'))]
  if (gamma === undefined && primaries === undefined) return undefined
  return { primaries: primaries ?? SRGB_PRIMARIES, transfer: gamma ?? 'srgb', narrow: false }
}

const NAMES: ReadonlyMap<number, string> = new Map(['cICP', 'sRGB', 'gAMA', 'cHRM'].map(name => [pngCode(name), name]))

/** Chunks stand before the image data. One with a wrong checksum does not count. */
function colourChunks(bytes: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>()
  for (const { code, from, to } of pngChunks(bytes)) {
    if (code === IMAGE_DATA || to + 4 > bytes.length) break
    const name = NAMES.get(code)
    // The checksum is that of name and data.
    if (name !== undefined && !chunks.has(name) && crc32(bytes.subarray(from - 4, to)) === bytes.readUInt32BE(to)) {
      chunks.set(name, bytes.subarray(from, to))
    }
  }
  return chunks
}

/**
 * The exponent that turns values into light. Encoders write 1/2.2 to say sRGB, whose curve is near that power; read as the power,
 * dark colours of such files would change.
 */
function gammaOf(chunk: Buffer | undefined): number | 'srgb' | undefined {
  if (chunk?.length !== 4) return undefined
  const stored = chunk.readUInt32BE(0)
  // libpng ignores values outside of these (png.c, png_set_gAMA).
  if (stored < 16 || stored > 625_000_000) return undefined
  return Math.abs(stored - 45_455) <= 50 ? 'srgb' : 100_000 / stored
}

function primariesOf(chunk: Buffer | undefined): Primaries | undefined {
  if (chunk?.length !== 32) return undefined
  const [wx, wy, rx, ry, gx, gy, bx, by] = Array.from({ length: 8 }, (_, index) => chunk.readUInt32BE(index * 4) / 100_000)
  const primaries = [rx!, ry!, gx!, gy!, bx!, by!, wx!, wy!] as const
  return spansColours(primaries) ? primaries : undefined
}

/** Whether red, green and blue lie apart and white lies between them. Nothing can be computed from other chromaticities. */
function spansColours([rx, ry, gx, gy, bx, by, wx, wy]: Primaries): boolean {
  const side = (ax: number, ay: number, cx: number, cy: number, px: number, py: number) =>
    (cx - ax) * (py - ay) - (cy - ay) * (px - ax)
  const areas = [side(rx, ry, gx, gy, wx, wy), side(gx, gy, bx, by, wx, wy), side(bx, by, rx, ry, wx, wy)]
  return [ry, gy, wy].every(y => y > 0) && (areas.every(area => area > 1e-6) || areas.every(area => area < -1e-6))
}
