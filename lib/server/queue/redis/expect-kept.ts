import type { Redis } from 'ioredis'
import { WuerstchenError } from '../../../errors.js'
import { outageOf } from '../reach.js'
import { isSelect } from './redis-connection.js'

/** There is no such database, or this user may not have it. Anything else passes by. */
const REFUSED: readonly unknown[] = [undefined, 'NOPERM']

/**
 * A Redis that throws keys away when its memory is full would lose jobs without a word. Where nobody may ask, nothing is known.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export async function expectKept(redis: Redis): Promise<void> {
  const info = await redis.info('memory').catch((error: unknown) => {
    if ((error as Error).name === 'ReplyError') return ''
    throw error
  })
  const [, most] = /^maxmemory:(\d+)/m.exec(info) ?? []
  const [, policy] = /^maxmemory_policy:(\S+)/m.exec(info) ?? []
  if (policy === undefined || policy === 'noeviction' || most === '0') return
  throw unusable(`Expected maxmemory-policy noeviction for queue but received ${policy}`)
}

/** Rejects where a connection cannot have the database that its address names; otherwise it never comes to an end. */
export function withoutDatabase(redis: Redis): Promise<never> {
  const rejected = new Promise<never>((_, reject) => {
    redis.on('error', (error: Error) => {
      if (!isSelect(error) || !REFUSED.includes(outageOf(error))) return
      reject(unusable(`Expected the database ${redis.options.db} of Redis for queue but it says: ${error.message}`, error))
    })
  })
  rejected.catch(() => {})
  return rejected
}

function unusable(message: string, cause?: Error): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', message, { subject: 'queue', ...(cause === undefined ? {} : { cause }) })
}
