import type { PoolClient } from 'pg'
import { WuerstchenError } from '../../../errors.js'
import type { QueueAddress } from '../address.js'
import { backOff } from '../back-off.js'
import { installed } from '../drivers.js'
import type { Engine } from '../engine.js'
import { outageOf } from '../reach.js'
import { QUEUE_OPTIONS, queueName, TicketOffice, TicketTaker, workerOptions } from '../tickets.js'
import { Asking } from './asking.js'
import { clientConfig, openPool, withClient } from './pool.js'
import { PostgresDatabase } from './postgres-database.js'
import { PostgresEar } from './postgres-ear.js'
import { prepareSchemas } from './prepare.js'

/** One that listens does not wait for an answer for long. */
const EAR_MS = 5000
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [100, 5000]

/**
 * BullMQ measures how long a ticket is held by the clocks of workers. Two that are each off by so much leave the third of a
 * lock's time between two words of a worker.
 */
const MOST_OFF_MS = 5000

/** @throws WuerstchenError INVALID_ARGUMENT where a package is missing */
export async function openPostgres(address: QueueAddress, kind: 'prompt' | 'patient'): Promise<Engine> {
  const [bullmq, { default: pg }] = await installed(() => Promise.all([import('bullmq'), import('pg')]), {
    ...{ what: 'the packages bullmq and pg for queue but they are', subject: 'queue', add: 'bullmq@6 pg@8 adds them' }
  })
  const pool = openPool(pg, address, kind)
  const asking = new Asking(pool)
  const files = kind === 'prompt' ? new Asking(openPool(pg, address, 'files')) : asking
  const database = new PostgresDatabase(asking, files)
  /** BullMQ's own remembers for ever that the database could not be reached once. Here it is used when it has been prepared. */
  class Prepared extends bullmq.PostgresConnection {
    override async waitUntilReady(): Promise<void> {}
  }
  const tickets = new Prepared(pool)
  const backend = (name: string, options: object) => new bullmq.PostgresQueueBackend(tickets, name, options as never, false)
  const office = new TicketOffice(
    model => new bullmq.Queue(queueName(model), { connection: pool, ...QUEUE_OPTIONS }, backend) as never,
    database
  )
  let closed = false
  /** A ticket that cannot be handed in is in nobody's hands until its time is over: for so long it is tried. */
  const insist = async <T>(act: () => Promise<T>, ms: number): Promise<T> => {
    const end = performance.now() + ms
    for (let tried = 0; ; tried++) {
      try {
        return await act()
      } catch (error) {
        if (closed || outageOf(error) === undefined || performance.now() >= end) throw error
        await new Promise(resolve => setTimeout(resolve, backOff(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)))
      }
    }
  }
  return {
    ...{ database, office },
    ear: hooks => new PostgresEar({ open: () => new pg.Client({ ...clientConfig(address), query_timeout: EAR_MS }), hooks }),
    taker(model, times) {
      const worker = new bullmq.Worker(queueName(model), null, { connection: pool, ...workerOptions(times) }, backend)
      return new TicketTaker(worker as never, times, act => insist(act, times.lockMs))
    },
    // BullMQ's types want a client of a pool, of which it uses what every client has.
    prepare: () => withClient(pg, address, client => prepareSchemas(client as PoolClient, bullmq)),
    expectClock: () => expectClock(() => pool.query<{ ms: number }>(CLOCK)),
    async close() {
      closed = true
      await office.close()
      await database.close()
    }
  }
}

const CLOCK = 'SELECT extract(epoch FROM clock_timestamp())::double precision * 1000 AS ms'

async function expectClock(ask: () => Promise<{ rows: { ms: number }[] }>): Promise<void> {
  const before = Date.now()
  const { rows } = await ask()
  const [least, most] = [before - rows[0]!.ms, Date.now() - rows[0]!.ms]
  const off = least > 0 ? least : most < 0 ? -most : 0
  if (off <= MOST_OFF_MS) return
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected a clock within ${MOST_OFF_MS} ms of the database's for queue but it is ${Math.round(off)} ms off`,
    { subject: 'queue' }
  )
}
