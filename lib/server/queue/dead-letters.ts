import type { JobView } from '../jobs/store.js'
import { queueAddress } from './address.js'
import { openQueue, type Queue } from './queue.js'
import { readRecord } from './record.js'

/** Jobs that ended their workers and failed for that. Nothing of what they ask for is in it. */
export type DeadLetter = Pick<JobView, 'id' | 'owner' | 'model' | 'kind' | 'createdAt' | 'endedAt' | 'error'>

/** All of them, the oldest first. @throws WuerstchenError */
export async function deadLetters(queue: unknown): Promise<DeadLetter[]> {
  return withQueue(queue, async ({ database }) => {
    const ids = await database.redis.zrange(database.key('dead'), 0, '-1')
    const records = await Promise.all(ids.map(async id => readRecord(await database.redis.hgetall(database.key(`job:${id}`)))))
    return records.flatMap(record => {
      if (record === undefined) return []
      const { id, owner, model, kind, createdAt, endedAt, error } = record.view
      return [{ id, owner, model, kind, createdAt, endedAt, error }]
    })
  })
}

/** Has a dead letter done again, as the same job. @returns whether there was one. @throws WuerstchenError */
export async function sendAgain(queue: unknown, id: string): Promise<boolean> {
  return withQueue(queue, async ({ database, office }) => {
    const model = await database.run<string>('sendAgain', id)
    if (model !== '') await office.issue(model)
    return model !== ''
  })
}

async function withQueue<T>(queue: unknown, use: (queue: Queue) => Promise<T>): Promise<T> {
  const opened = await openQueue(queueAddress(queue), 'queue', 'patient')
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}
