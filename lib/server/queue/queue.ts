import { randomBytes } from 'node:crypto'
import { WuerstchenError } from '../../errors.js'
import type { QueueAddress } from './address.js'
import type { Blobs } from './blobs.js'
import { QueueDatabase } from './database.js'
import { connect, loadDrivers, type Drivers } from './drivers.js'
import { openBlobs } from './files/open-blobs.js'
import type { ResultsPlace } from './files/results-place.js'
import { News } from './news.js'
import { TicketOffice } from './tickets.js'

/** What servers and workers have of a queue. */
export interface Queue {
  drivers: Drivers
  address: QueueAddress
  database: QueueDatabase
  news: News
  blobs: Blobs
  office: TicketOffice
  close(): Promise<void>
}

/** A queue that does not answer for so long at the start is taken for a wrong address. */
const START_MS = 10_000
const TRY_MS = 200

/**
 * @param kind `prompt`: commands fail at once while the queue cannot be reached; `patient`: they wait for it
 * @throws WuerstchenError INVALID_ARGUMENT where a package is missing, or files cannot be kept in `results`; TIMEOUT where nobody
 *   answers
 */
export async function openQueue(address: QueueAddress, results: ResultsPlace, kind: 'prompt' | 'patient'): Promise<Queue> {
  const drivers = await loadDrivers()
  const database = new QueueDatabase(drivers, address, kind)
  const news = new News(connect(drivers, address, 'patient'))
  const office = new TicketOffice(drivers, database)
  const close = async () => {
    await office.close()
    news.close()
    database.close()
  }
  try {
    await answered(database, address)
    const blobs = await openBlobs(results, database, kind)
    return {
      ...{ drivers, address, database, news, blobs, office },
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

async function answered({ redis }: QueueDatabase, { shown }: QueueAddress): Promise<void> {
  const end = performance.now() + START_MS
  let last: unknown
  while (performance.now() < end) {
    try {
      await Promise.race([redis.ping(), new Promise((_, reject) => setTimeout(reject, 1000, new Error('no answer')))])
      return
    } catch (error) {
      last = error
      await new Promise(resolve => setTimeout(resolve, TRY_MS))
    }
  }
  throw new WuerstchenError('TIMEOUT', `Expected an answer of the queue at ${shown} within ${START_MS} ms but there is none`, {
    subject: 'queue',
    cause: last
  })
}

/** What links to results are signed with, where nobody says it: all servers of a queue need the same. */
export async function sharedSecret(database: QueueDatabase): Promise<string> {
  const key = database.key('urlSecret')
  await database.redis.set(key, randomBytes(32).toString('base64url'), 'NX')
  return (await database.redis.get(key))!
}
