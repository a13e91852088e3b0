import type { InputFormat } from './sniff.js'

/**
 * How far black and white of a mask may be off. Nothing of what was to be kept may change because a tool wrote 1 for 0, scaled
 * the mask (the second lobe of a Lanczos filter is 3 % high) or went through a colour space and back.
 */
const NOISE = 8
/** The same for formats with loss: a sharp edge in a JPEG of quality 75 rings by 37 at most, in a WebP of quality 80 by 19. */
const NOISE_WITH_LOSS = 40

export function noiseOf(bytes: Buffer, format: InputFormat | undefined): number {
  if (format === undefined || format === 'PNG' || (format === 'WebP' && isLossless(bytes))) return NOISE
  return NOISE_WITH_LOSS
}

/** Whether the image data of a WebP file is a VP8L chunk. */
function isLossless(bytes: Buffer): boolean {
  for (let at = 12; at + 8 <= bytes.length; at += 8 + bytes.readUInt32LE(at + 4) + (bytes.readUInt32LE(at + 4) % 2)) {
    const name = bytes.toString('latin1', at, at + 4)
    if (name === 'VP8L') return true
    if (name === 'VP8 ') return false
  }
  return false
}

/** Stretches a mask, in place, so that black and white are exactly 0 and 255 however far they are off. Half stays half. */
export function stretch(mask: Uint8Array, noise: number): void {
  const levels = Uint8Array.from({ length: 256 }, (_, value) =>
    Math.round((255 * Math.min(255 - 2 * noise, Math.max(0, value - noise))) / (255 - 2 * noise))
  )
  for (let index = 0; index < mask.length; index++) mask[index] = levels[mask[index]!]!
}
