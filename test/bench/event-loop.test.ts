import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { withEventLoopDelay } from '../../lib/bench/event-loop.js'

test('a blocked event loop shows in the largest delay, and the result comes through', async () => {
  const { result, delay } = await withEventLoopDelay(async () => {
    await sleep(50)
    const until = performance.now() + 200
    while (performance.now() < until);
    await sleep(50)
    return 'done'
  })
  expect(result).toBe('done')
  // The timer's own interval of 10 ms is taken off.
  expect(delay.max).toBeGreaterThan(150)
  expect(delay.samples).toBeGreaterThan(0)
  expect(delay.p50).toBeLessThanOrEqual(delay.p99)
})

test('an error ends the watch and comes through', async () => {
  await expect(withEventLoopDelay(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
})
