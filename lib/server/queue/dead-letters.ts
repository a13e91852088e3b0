import type { JobView } from '../jobs/store.js'
import { queueAddress } from './address.js'
import { openQueue, type Queue } from './queue.js'

/** Jobs that ended their workers and failed for that. Nothing of what they ask for is in it. */
export type DeadLetter = Pick<JobView, 'id' | 'owner' | 'model' | 'kind' | 'createdAt' | 'endedAt' | 'error'>

/** All of them, the oldest first. @throws WuerstchenError */
export async function deadLetters(queue: unknown): Promise<DeadLetter[]> {
  return withQueue(queue, async ({ database }) => {
    const records = await database.deadLetters()
    return records.map(({ view: { id, owner, model, kind, createdAt, endedAt, error } }) => ({
      ...{ id, owner, model, kind, createdAt, endedAt, error }
    }))
  })
}

/** Has a dead letter done again, as the same job. @returns whether there was one. @throws WuerstchenError */
export async function sendAgain(queue: unknown, id: string): Promise<boolean> {
  return withQueue(queue, async ({ database, office }) => {
    const model = await database.sendAgain(id)
    if (model !== undefined) await office.issue(model)
    return model !== undefined
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
