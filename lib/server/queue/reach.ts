import { WuerstchenError } from '../../errors.js'
import { refused } from '../jobs/failure.js'

/**
 * What Redis says while it cannot take work: that passes by, or an operator mends it. It is the first word of an answer; what
 * a script was told in Redis 6 is quoted in the middle of one: `ERR Error running script (…): @user_script: 13: -OOM …`.
 */
const WORDS = 'LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|BUSY|NOSCRIPT|NOAUTH|WRONGPASS|NOPERM'
const PASSING = new RegExp(`^(?:-|ERR .*-)?(${WORDS}) `)

/** It takes no more connections, and says so as if it were a fault. */
const FULL = /^-?ERR max number of clients/

/** What says that the queue cannot do its work now, in a word for the log; undefined for a fault that is no outage. */
export function outageOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || WuerstchenError.is(error)) return undefined
  const { name, message } = error
  // What is wrong with our own scripts is no outage. Redis has no other name for what it says than its text.
  if (name === 'ReplyError') return PASSING.exec(`${message} `)?.[1] ?? (FULL.exec(message) === null ? undefined : 'ERR')
  // Nor is what is wrong with our own code, or with files beside the queue.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError || 'path' in error)
    return undefined
  return (error as NodeJS.ErrnoException).code ?? 'no answer'
}

/** Asks the database, within its time. @throws WuerstchenError QUEUE_FULL, whose subject is `queue`, where it does not answer */
export async function reach<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw outageOf(error) === undefined ? error : refused('queue')
  }
}
