import { setImmediate as nextTurn } from 'node:timers/promises'

/** So many pixels take a few milliseconds. */
const PIXELS_A_TURN = 1 << 16

/**
 * Goes through an image's pixels in parts, and lets the event loop go on between them. All of a large image would block it for
 * a second.
 */
export async function inTurns(pixels: number, each: (begin: number, end: number) => void): Promise<void> {
  for (let begin = 0; begin < pixels; begin += PIXELS_A_TURN) {
    await nextTurn()
    each(begin, Math.min(pixels, begin + PIXELS_A_TURN))
  }
}
