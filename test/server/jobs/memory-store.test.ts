import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../lib/server/jobs/memory-store.js'
import { describeKnownJobs } from './known-behaviour.js'
import { describeStore } from './store-behaviour.js'
import { endStores, setUpStore, vary } from './store-setup.js'

describeStore('a store in the memory of this process', (limits, observers) => new MemoryStore(limits, observers))
describeKnownJobs('a store in the memory of this process', (limits, observers) => new MemoryStore(limits, observers))

test('the inputs of a job that is over are nowhere in the memory of the store, though the job is kept', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { backend, store, submit, runs } = setUpStore((limits, observers) => new MemoryStore(limits, observers))
  const finish = async () => {
    const work = vary(1000)
    const job = await submit(work)
    await runs(1)
    backend.runs[0]!.finish()
    await job.outcome()
    backend.runs.length = 0
    // Whoever waited for the job may keep what it was given.
    return { job, source: new WeakRef((work as { source: Uint8Array }).source) }
  }
  const { job, source } = await finish()
  // A WeakRef keeps its target until the turn in which it was made is over.
  await new Promise(resolve => setImmediate(resolve))
  collect()
  expect(source.deref()).toBeUndefined()
  expect(await store.get(job.view.id)).toMatchObject({ state: 'succeeded' })
  expect(await store.result(job.view.id)).toBeDefined()
  await endStores()
})
