import { WuerstchenError } from '../../errors.js'
import { refused } from '../jobs/failure.js'

/** What Redis says, as the first word of its answer, while it cannot take work: that passes by. */
const PASSING: ReadonlySet<string> = new Set([
  'LOADING',
  'READONLY',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'OOM',
  'MISCONF',
  'NOREPLICAS'
])

/** Asks the database, within its time. @throws WuerstchenError QUEUE_FULL, whose subject is `queue`, where it does not answer */
export async function reach<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (WuerstchenError.is(error)) throw error
    const { name, message } = error as Error
    // What is wrong with our own scripts is no outage.
    if (name === 'ReplyError' && !PASSING.has(message.split(' ', 1)[0]!.replace(/^-/, ''))) throw error
    throw refused('queue')
  }
}
