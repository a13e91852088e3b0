import type { MemoryStoreLimits } from '../../../lib/server/jobs/memory-store.js'
import type { JobStore, StoreObserver, Terms, WorkSource } from '../../../lib/server/jobs/store.js'
import { serveOrders } from '../../../lib/server/jobs/worker.js'
import type { Work } from '../../../lib/server/jobs/work.js'
import { FakeBackend, frozen, until } from '../fake-backend.js'

type Store = JobStore & WorkSource
export type MakeStore = (limits: MemoryStoreLimits, observers: readonly StoreObserver[]) => Store

const LIMITS: MemoryStoreLimits = {
  maxQueued: 4,
  maxQueuedPerKey: 4,
  resultTtlSeconds: 60,
  maxKeptJobs: 10,
  maxKeptBytes: 100_000
}
const TERMS: Terms = { owner: 'ann', priority: 0, timeoutMs: 60_000, keep: true }
export const generate = (images = 1): Work =>
  frozen({ kind: 'generate', model: 'm', images, file: { format: 'png' }, previews: 0, options: {} })
export const vary = (bytes: number): Work =>
  frozen({
    kind: 'vary',
    model: 'm',
    images: 1,
    file: { format: 'png' },
    previews: 0,
    source: Buffer.alloc(bytes),
    options: { prompt: 'häuser' }
  })
const started: { store: Store; stop: AbortController; worker: Promise<void> }[] = []

/** A store with one worker, which runs on a backend that the test settles. */
export function setUpStore(
  makeStore: MakeStore,
  limits: Partial<MemoryStoreLimits> & { maxImages?: number } = {},
  observers: readonly StoreObserver[] = []
) {
  const { maxImages = 2, ...own } = limits
  const backend = new FakeBackend()
  const failures: unknown[] = []
  const store = makeStore({ ...LIMITS, ...own }, observers)
  const stop = new AbortController()
  const worker = serveOrders(
    store,
    (work, signal, emit) => backend.run({ name: 'm', dispose: async () => {} }, work, signal, emit),
    { maxImages, signal: stop.signal, failed: (_, error) => failures.push(error) }
  )
  started.push({ store, stop, worker })
  const submit = (work: Work = generate(), terms: Partial<Terms> = {}) => store.submit(work, { ...TERMS, ...terms })
  const runs = async (count: number) => {
    await until(() => backend.runs.length >= count)
    return backend.runs[count - 1]!
  }
  return { backend, store, submit, runs, failures, stop, worker }
}

/** Ends the stores of a test. */
export async function endStores(): Promise<void> {
  for (const { store, stop, worker } of started.splice(0)) {
    await store.abort()
    await store.drain()
    stop.abort()
    await worker
  }
}
