/**
 * How many milliseconds to wait before another try: twice as long each time, up to a limit. It is somewhere in the upper half of
 * that, so that many who failed together do not come back together.
 * @param tried how many pauses there were before
 */
export function backOff(tried: number, firstMs: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** tried, longestMs) * (0.5 + Math.random() / 2)
}
