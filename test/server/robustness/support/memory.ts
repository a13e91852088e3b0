import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'vitest'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

export interface Memory {
  heap: number
  rss: number
}

/** Bytes of this process after everything that can be freed has been. */
export async function settledMemory(): Promise<Memory> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  }
  const { heapUsed: heap, external, rss } = process.memoryUsage()
  return { heap: heap + external, rss }
}

const ROUNDS = 6

/**
 * Does the same again until it adds less than `limit` bytes. What leaks is added by every round; compiled code, caches and what the allocator
 * keeps for its threads come in the first ones, how much of them in which depends on the machine.
 */
export async function expectMemoryToSettle(limit: Memory, round: () => Promise<unknown>): Promise<void> {
  const added: Memory[] = []
  let before = await settledMemory()
  while (added.length < ROUNDS) {
    await round()
    const after = await settledMemory()
    const { heap, rss } = { heap: after.heap - before.heap, rss: after.rss - before.rss }
    if (heap < limit.heap && rss < limit.rss) return
    added.push({ heap, rss })
    before = after
  }
  expect.fail(`every one of ${ROUNDS} equal rounds added more than ${JSON.stringify(limit)}: ${JSON.stringify(added)}`)
}
