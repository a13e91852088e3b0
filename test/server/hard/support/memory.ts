import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of this process after everything that can be freed has been. */
export async function settledMemory(): Promise<{ heap: number, rss: number }> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const { heapUsed: heap, external, rss } = process.memoryUsage()
  return { heap: heap + external, rss }
}
