import type { QueueAddress } from '../address.js'
import { installed } from '../drivers.js'
import type { Engine } from '../engine.js'
import { outageOf } from '../reach.js'
import { QUEUE_OPTIONS, queueName, TicketOffice, TicketTaker, workerOptions } from '../tickets.js'
import { expectKept, withoutDatabase } from './expect-kept.js'
import { connect } from './redis-connection.js'
import { RedisDatabase } from './redis-database.js'
import { RedisEar } from './redis-ear.js'

/** BullMQ puts the colon itself. */
const TICKET_PREFIX = '{wuerstchen}'

/** @throws WuerstchenError INVALID_ARGUMENT where a package is missing */
export async function openRedis(address: QueueAddress, kind: 'prompt' | 'patient'): Promise<Engine> {
  const [bullmq, ioredis] = await installed(() => Promise.all([import('bullmq'), import('ioredis')]), {
    ...{ what: 'the packages bullmq and ioredis for queue but they are', subject: 'queue', add: 'bullmq@6 ioredis@5 adds them' }
  })
  const connection = connect(ioredis, address, kind)
  const database = new RedisDatabase(connection, connect(ioredis, address, kind, true))
  const unusable = withoutDatabase(connection)
  // A word alone: the error of a password that is wrong has the password.
  let fault: string | undefined
  connection.on('error', error => (fault = outageOf(error)))
  const office = new TicketOffice(
    model => new bullmq.Queue(queueName(model), { connection, prefix: TICKET_PREFIX, ...QUEUE_OPTIONS }),
    database
  )
  return {
    ...{ database, office },
    ear: hooks => new RedisEar(connect(ioredis, address, 'patient'), hooks),
    taker(model, times) {
      const own = connect(ioredis, address, 'patient')
      const options = { connection: own, prefix: TICKET_PREFIX, ...workerOptions(times) }
      const worker = new bullmq.Worker(queueName(model), null, options)
      worker.once('closed', () => own.disconnect())
      // The connection waits for the queue by itself.
      return new TicketTaker(worker, times, act => act())
    },
    async prepare() {
      await Promise.race([database.prepare(), unusable])
      await expectKept(connection)
    },
    fault: () => fault,
    // Redis' own clock is the only one that counts.
    expectClock: async () => {},
    async close() {
      await office.close()
      await database.close()
    }
  }
}
