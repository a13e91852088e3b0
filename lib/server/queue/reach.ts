import { WuerstchenError } from '../../errors.js'
import { refused } from '../jobs/failure.js'

/**
 * What Redis says while it cannot take work: that passes by, or an operator mends it. It is the first word of an answer; what
 * a script was told in Redis 6 is quoted in the middle of one: `ERR Error running script (…): @user_script: 13: -OOM …`.
 */
const WORDS =
  'LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|OOM|MISCONF|NOREPLICAS|BUSY|NOSCRIPT|NOAUTH|WRONGPASS|NOPERM'
const PASSING = new RegExp(`^(?:-|ERR .*-)?(${WORDS}) `)

/** It takes no more connections, and says so as if it were a fault. */
const FULL = /^-?ERR max number of clients/

/**
 * What PostgreSQL says then, by its codes (its manual, appendix A): 08 connections, 25006 read only, 28 passwords and rights to
 * connect, 3D000 no such database, 40 asks to try again, 42501 rights, 53 too little of something, 55P03 and 57 locks, times and
 * restarts, 58 the system.
 */
const STATES = /^(08...|25006|28...|3D000|40...|42501|53...|55P03|57...|58...)$/

/** What says that the queue cannot do its work now, in a word for the log; undefined for a fault that is no outage. */
export function outageOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || WuerstchenError.is(error)) return undefined
  const { name, message } = error
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  // What is wrong with our own scripts is no outage. Redis has no other name for what it says than its text.
  if (name === 'ReplyError') return PASSING.exec(`${message} `)?.[1] ?? (FULL.exec(message) === null ? undefined : 'ERR')
  if (severity !== undefined) return STATES.exec(String(code))?.[1]
  // Nor is what is wrong with our own code, with files beside the queue, or with a ticket, which BullMQ has numbers for.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError || 'path' in error)
    return undefined
  if (typeof code === 'number') return undefined
  return typeof code === 'string' ? code : 'no answer'
}

/** Asks the database, within its time. @throws WuerstchenError QUEUE_FULL, whose subject is `queue`, where it does not answer */
export async function reach<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw outageOf(error) === undefined ? error : refused('queue')
  }
}
