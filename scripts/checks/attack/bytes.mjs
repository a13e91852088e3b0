/** @import { Random } from './random.mjs' */

/** Numbers of which files, headers and counters are afraid. */
export const NUMBERS = [0, 1, -1, 2, 3, 127, 128, 255, 256, 32767, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32]

/**
 * A copy of the bytes with some of them changed.
 * @param {Random} random
 * @param {Uint8Array} bytes
 * @param {{ from?: number, to?: number, bits?: number }} [where]
 */
export function flipped(random, bytes, { from = 0, to = bytes.length, bits = 1 + random.int(8) } = {}) {
  const copy = Buffer.from(bytes)
  for (let i = 0; i < bits && to > from; i++) {
    const at = from + random.int(to - from)
    copy[at] = /** @type {number} */ (copy[at]) ^ (1 << random.int(8))
  }
  return copy
}

/** A copy that was cut off, or has bytes too many. @param {Random} random @param {Uint8Array} bytes */
export function resized(random, bytes) {
  if (random.chance(0.3)) return Buffer.concat([bytes, Buffer.alloc(1 + random.int(4096), random.int(256))])
  return Buffer.from(bytes.subarray(0, random.chance(0.2) ? random.int(64) : random.int(bytes.length)))
}

/**
 * One step of a fuzzer: bytes flipped, cut, doubled, moved, or numbers written over them.
 * @param {Random} random
 * @param {Uint8Array} bytes
 * @param {readonly string[]} [words] texts of the format
 */
export function mutated(random, bytes, words = []) {
  const at = random.int(bytes.length + 1)
  const length = random.int(Math.min(64, bytes.length - at) + 1)
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
  switch (random.int(words.length > 0 ? 8 : 7)) {
    case 0:
      return flipped(random, bytes)
    case 1:
      return Buffer.concat([before, after])
    case 2:
      return Buffer.concat([before, part, part, after])
    case 3:
      return Buffer.concat([before, Buffer.from(Array.from({ length: 1 + random.int(16) }, () => random.int(256))), after])
    case 4: {
      const copy = Buffer.from(bytes)
      if (copy.length >= 8) copy.writeBigInt64LE(BigInt(random.pick(NUMBERS)), random.int(copy.length - 7))
      return copy
    }
    case 5:
      return resized(random, bytes)
    case 6: {
      // Another number in a text.
      const text = Buffer.from(bytes).toString('latin1')
      const numbers = [...text.matchAll(/-?\d+(\.\d+)?/g)]
      if (numbers.length === 0) return flipped(random, bytes)
      const { 0: old, index } = random.pick(numbers)
      const fresh = random.pick([
        String(random.pick(NUMBERS)),
        '-0',
        '1e308',
        '9007199254740993',
        '18446744073709551616',
        '1e-320'
      ])
      return Buffer.from(text.slice(0, index) + fresh + text.slice(index + old.length), 'latin1')
    }
    default:
      return Buffer.concat([before, Buffer.from(random.pick(words)), after])
  }
}
