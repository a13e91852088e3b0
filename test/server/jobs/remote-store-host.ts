/** The process behind `StoreProcess`: it has the stores and answers questions. */
import { factsOf } from '../../../lib/server/jobs/failure.js'
import { MemoryStore, type MemoryStoreLimits } from '../../../lib/server/jobs/memory-store.js'
import type { Submitted } from '../../../lib/server/jobs/store.js'
import type { Answer, Question } from './remote-store.js'

type Method = (...args: never[]) => unknown

const stores = new Map<number, (method: string, args: unknown[]) => unknown>()

process.on('message', async ({ store, call, method, args }: Question) => {
  try {
    if (method === 'create') stores.set(store, create(store, ...(args as [MemoryStoreLimits])))
    send({ call, value: method === 'create' ? null : await stores.get(store)!(method, args) })
  } catch (error) {
    send({ call, error: factsOf(error) })
  }
})
process.once('disconnect', () => process.exit())
// The test's process can end before its last answer is sent.
process.on('error', () => process.exit())

function send(answer: Answer): void {
  process.send!(structuredClone(answer))
}

function create(number: number, limits: MemoryStoreLimits): (method: string, args: unknown[]) => unknown {
  const store = new MemoryStore(limits, [
    {
      queued: job => send({ store: number, observe: 'queued', args: [job] }),
      started: job => send({ store: number, observe: 'started', args: [job] }),
      ended: (job, timings) => send({ store: number, observe: 'ended', args: [job, timings] })
    }
  ])
  const submitted = new Map<string, Submitted>()
  const streams = new Map<number, { values: AsyncIterator<unknown>; end: AbortController }>()
  const sources: Record<string, (key: never, signal: AbortSignal) => AsyncIterable<unknown>> = {
    orders: (maxImages, signal) => store.orders(maxImages, signal),
    follow: (id, signal) => store.follow(id, signal),
    events: (id, signal) => submitted.get(id)!.events(signal)
  }
  /** What is asked for in another way than the store has it. */
  const own: Record<string, Method> = {
    submit: async (...args: Parameters<typeof store.submit>) => {
      const job = await store.submit(...args)
      submitted.set(job.view.id, job)
      return { view: job.view, known: job.known }
    },
    outcome: (id: string) => submitted.get(id)!.outcome(),
    open: (source: string, key: never) => {
      const end = new AbortController()
      streams.set(streams.size, { values: sources[source]!(key, end.signal)[Symbol.asyncIterator](), end })
      return streams.size - 1
    },
    next: (id: number) => streams.get(id)!.values.next(),
    close: (id: number) => streams.get(id)!.end.abort()
  }
  return (method, args) => (own[method] ?? (store[method as keyof typeof store] as Method).bind(store))(...(args as never[]))
}
