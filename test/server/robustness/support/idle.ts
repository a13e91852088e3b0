import type { FastifyInstance } from 'fastify'
import type { StoreStats } from '../../../../lib/server/jobs/store.js'

/** Waits until what the server's jobs say of themselves is so; by default until nothing runs. */
export async function untilJobs(app: FastifyInstance, holds = ({ running }: StoreStats) => running === 0): Promise<void> {
  while (!holds(await app.wuerstchen.jobs.stats()))
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}
