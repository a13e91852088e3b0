import { randomInt } from 'node:crypto'

/** Drawn seeds are below this bound, so that they are short enough to be typed. */
const DRAWN_BELOW = 2 ** 32

/** What front ends and command lines of other programs say for any seed. The library itself takes no such number. */
export const ANY_SEED = -1

export function drawSeed(): number {
  return randomInt(DRAWN_BELOW)
}

/** The seed that was given, or a drawn one for `ANY_SEED`. */
export function settledSeed(seed: number): number {
  return seed === ANY_SEED ? drawSeed() : seed
}
