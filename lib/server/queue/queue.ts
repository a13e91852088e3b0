import { randomBytes } from 'node:crypto'
import { WuerstchenError } from '../../errors.js'
import { isPostgres, type QueueAddress } from './address.js'
import type { Blobs } from './blobs.js'
import type { Engine } from './engine.js'
import { openBlobs } from './files/open-blobs.js'
import type { ResultsPlace } from './files/results-place.js'
import { News } from './news.js'
import { openPostgres } from './postgres/open-postgres.js'
import type { QueueDatabase } from './queue-database.js'
import { outageOf } from './reach.js'
import { openRedis } from './redis/open-redis.js'

/** What servers and workers have of a queue. */
export interface Queue extends Pick<Engine, 'database' | 'office' | 'taker' | 'expectClock'> {
  news: News
  blobs: Blobs
  close(): Promise<void>
}

/** A queue that does not answer for so long at the start is taken for a wrong address. */
const START_MS = 10_000
const TRY_MS = 200

/**
 * @param kind `prompt`: commands fail at once while the queue cannot be reached; `patient`: they wait for it
 * @throws WuerstchenError INVALID_ARGUMENT where a package is missing, files cannot be kept in `results`, or the database is of
 *   another kind or version; TIMEOUT where nobody answers
 */
export async function openQueue(address: QueueAddress, results: ResultsPlace, kind: 'prompt' | 'patient'): Promise<Queue> {
  const engine = await (isPostgres(address) ? openPostgres(address, kind) : openRedis(address, kind))
  const { database, office } = engine
  const news = new News(engine.ear)
  const close = async () => {
    news.close()
    await engine.close()
  }
  try {
    await prepared(engine, address)
    const blobs = await openBlobs(results, database, kind)
    return {
      ...{ database, news, office, blobs },
      taker: (model, times) => engine.taker(model, times),
      expectClock: () => engine.expectClock(),
      async close() {
        await close()
        blobs.close?.()
      }
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function prepared(engine: Engine, { shown }: QueueAddress): Promise<void> {
  const end = performance.now() + START_MS
  let last: unknown
  while (performance.now() < end) {
    try {
      await Promise.race([
        engine.prepare(),
        new Promise((_, reject) =>
          setTimeout(() => reject((last ?? new Error('no answer')) as Error), end - performance.now()).unref()
        )
      ])
      return
    } catch (error) {
      if (WuerstchenError.is(error)) throw error
      last = error
      await new Promise(resolve => setTimeout(resolve, TRY_MS))
    }
  }
  const reason = engine.fault?.() ?? outageOf(last)
  const why = reason === undefined || reason === 'no answer' ? '' : ` (${reason})`
  throw new WuerstchenError(
    'TIMEOUT',
    `Expected an answer of the queue at ${shown} within ${START_MS} ms but there is none${why}`,
    { subject: 'queue', cause: last }
  )
}

/** What links to results are signed with, where nobody says it: all servers of a queue need the same. */
export async function sharedSecret(database: QueueDatabase): Promise<string> {
  return database.once('urlSecret', randomBytes(32).toString('base64url'))
}
