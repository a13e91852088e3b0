import { queryObjects, setFlagsFromString } from 'node:v8'
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
 * Does the same again until it adds less than `limit` bytes. What leaks is added by every round; compiled code, caches and what
 * the allocator
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

const TIMES = 3

/**
 * Does the same several times: afterwards no more byte arrays may be alive than before, however small they are. One that is
 * kept of each
 * round is `TIMES` too many; what is made once, whenever that is, is fewer.
 * @param forgotten resolves when what is kept for a while on purpose is gone
 */
export async function expectNothingHeld(round: () => Promise<unknown>, forgotten: () => Promise<void>): Promise<void> {
  await round()
  await forgotten()
  const before = await heldArrays()
  for (let time = 0; time < TIMES; time++) await round()
  await forgotten()
  const after = await heldArrays()
  expect(after - before, `byte arrays that ${TIMES} equal rounds left behind`).toBeLessThan(TIMES)
}

/** How many byte arrays (buffers too) something still refers to. */
async function heldArrays(): Promise<number> {
  await settledMemory()
  return queryObjects(Uint8Array, { format: 'count' })
}
