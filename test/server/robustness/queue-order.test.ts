import { expect, test } from 'vitest'
import { FairQueue } from '../../../lib/server/jobs/fair-queue.js'

test('jobs of one key and one priority keep the order in which they came, also among others', () => {
  const queue = new FairQueue<{ owner: string; priority: number; cost: number; name: string }>()
  for (const [name, priority] of [
    ['first', 0],
    ['second', 0],
    ['urgent', 1],
    ['third', 0],
    ['urgent too', 1]
  ] as const)
    queue.push({ owner: 'ann', priority, cost: 1, name })
  expect([...queue.order()].map(({ name }) => name)).toEqual(['urgent', 'urgent too', 'first', 'second', 'third'])
})
