/**
 * Arrival times of independent requests: their gaps are those of a Poisson process.
 * @param rate requests a second
 * @param seed the same seed gives the same arrivals on every machine
 * @returns milliseconds from the start, ascending; the first is 0
 */
export function poissonArrivals(rate: number, count: number, seed: number): number[] {
  const random = seededRandom(seed)
  let time = 0
  return Array.from({ length: count }, (_, index) => {
    if (index > 0) time += (-Math.log(1 - random()) * 1000) / rate
    return time
  })
}

/** mulberry32, https://github.com/cprosche/mulberry32: uniform numbers from 0 to 1, without 1. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
