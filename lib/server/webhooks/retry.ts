/** After the first attempt about 5 s, 20 s, 80 s, 5 min and 21 min are waited: half an hour in all. */
export const MOST_ATTEMPTS = 6
/** How many messages wait at most. */
export const MOST_WAITING = 10_000
const RETRY_MS = 5000
const GROWTH = 4
/** The receiver says that there will never be anybody. */
const GONE = 410

/** The status of an answer, or why there is none. */
export type Result = number | string

export function arrived(result: Result): boolean {
  return typeof result === 'number' && result >= 200 && result < 300
}

/**
 * How many milliseconds to wait before the next attempt; undefined where there is to be none. Many that failed together do not
 * come again together: each pause is between half and one and a half of its length.
 */
export function pauseAfter(attempts: number, result: Result, retryMs = RETRY_MS): number | undefined {
  if (result === GONE || attempts >= MOST_ATTEMPTS) return undefined
  return retryMs * GROWTH ** (attempts - 1) * (0.5 + Math.random())
}
