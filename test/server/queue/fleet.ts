import type { FastifyInstance } from 'fastify'
import { createApp, type LoggerOption } from '../../../lib/server/http/app.js'
import { createWorkerApp, type Worker } from '../../../lib/server/http/worker-app.js'
import { serverOptions, type ServerOptions } from '../../../lib/server/options.js'
import { queueService } from '../../../lib/server/queue/queue-service.js'
import type { TicketTimes } from '../../../lib/server/queue/tickets.js'
import { workerOptions, type WorkerOptions } from '../../../lib/server/worker-options.js'
import { startQueue, type QueueKind, type QueueServer } from '../../support/queues.js'
import { FakeBackend, tinyModel } from '../fake-backend.js'

/** A lock that no busy machine lets run out: what runs twice does so since a test made it. */
export const CALM: TicketTimes = { lockMs: 30_000, checkMs: 300 }

/** For tests that wait until work is taken over. A busy machine can make any work begin anew there. */
export const QUICK: TicketTimes = { lockMs: 1500, checkMs: 300 }

/** Servers and workers on one queue, in this process. */
export class Fleet {
  readonly queue: QueueServer
  readonly #ends: (() => Promise<unknown>)[] = []

  private constructor(queue: QueueServer) {
    this.queue = queue
  }

  static async start(kind: QueueKind): Promise<Fleet> {
    return new Fleet(await startQueue(kind))
  }

  async server(options: ServerOptions = {}): Promise<FastifyInstance> {
    const app = await createApp(serverOptions({ queue: this.queue.url, ...options }), false, { open: queueService })
    await app.ready()
    await app.wuerstchen.warmUp()
    this.#ends.push(async () => {
      await app.wuerstchen.abort().catch(() => {})
      await app.close()
    })
    return app
  }

  /** A worker whose work the test settles, and which has begun. */
  async worker(options: WorkerOptions = {}, logger: LoggerOption = false): Promise<{ backend: FakeBackend; worker: Worker }> {
    const backend = new FakeBackend()
    const checked = workerOptions({ queue: this.queue.url, models: { tiny: tinyModel }, ...options })
    const worker = await createWorkerApp(checked, logger, backend, CALM)
    await worker.server.ready()
    await worker.start()
    this.#ends.push(async () => {
      for (const run of backend.runs) run.finish()
      backend.automatic = true
      await worker.close()
    })
    return { backend, worker }
  }

  async end(): Promise<void> {
    // Workers first: they end what servers wait for.
    await Promise.all(
      this.#ends
        .splice(0)
        .reverse()
        .map(end => end())
    )
    await this.queue.stop()
  }
}

/** Waits for a condition that takes the round of a database to come true. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 20))
}
