import { fork, type ChildProcess } from 'node:child_process'
import { WuerstchenError, type ErrorCode } from '../../../lib/errors.js'
import type { Cancellation, JobError, Refusal } from '../../../lib/server/jobs/failure.js'
import type { MemoryStoreLimits } from '../../../lib/server/jobs/memory-store.js'
import type {
  JobEvent,
  JobFilter,
  JobPage,
  JobStore,
  JobView,
  Order,
  Outcome,
  StoreObserver,
  StoreStats,
  Submitted,
  Terms,
  WorkSource
} from '../../../lib/server/jobs/store.js'
import type { JobResult, Work, WorkEvent } from '../../../lib/server/jobs/work.js'

/** What is asked of the process that has the stores. Streams are read value by value: `open`, `next`, `close`. */
export type Question = { store: number; call: number; method: string; args: unknown[] }
export type Answer =
  | { call: number; value: unknown }
  | { call: number; error: JobError }
  | { store: number; observe: keyof StoreObserver; args: unknown[] }

type Call = (method: string, ...args: unknown[]) => Promise<unknown>
type Listener = (...args: unknown[]) => void

/** A process that has stores. Only plain data passes: every message is cloned first, which fails for anything else. */
export class StoreProcess {
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  readonly #observers: (readonly StoreObserver[])[] = []
  #count = 0

  constructor() {
    this.#child = fork(new URL('remote-store-host.ts', import.meta.url), {
      execArgv: ['--import', new URL('typescript.mjs', import.meta.url).href],
      serialization: 'advanced'
    })
    this.#child.on('message', (message: Answer) => {
      if ('observe' in message)
        for (const observer of this.#observers[message.store]!)
          (observer[message.observe] as Listener | undefined)?.(...message.args)
      else this.#answered(message)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#calls.values()) reject(new Error('The process of the stores has ended'))
    })
  }

  store(limits: MemoryStoreLimits, observers: readonly StoreObserver[]): RemoteStore {
    const store = this.#observers.push(observers) - 1
    const call: Call = (method, ...args) =>
      new Promise((resolve, reject) => {
        if (!this.#child.connected) return reject(new Error('The process of the stores has ended'))
        this.#calls.set(this.#count, { resolve, reject })
        this.#child.send(structuredClone({ store, call: this.#count++, method, args } satisfies Question))
      })
    return new RemoteStore(call, limits)
  }

  end(): void {
    this.#child.disconnect()
  }

  #answered(answer: Exclude<Answer, { observe: unknown }>): void {
    const { resolve, reject } = this.#calls.get(answer.call)!
    this.#calls.delete(answer.call)
    if ('value' in answer) return resolve(answer.value)
    const { code, message, subject } = answer.error
    reject(new WuerstchenError(code as ErrorCode, message, { subject }))
  }
}

/** A store in another process. */
class RemoteStore implements JobStore, WorkSource {
  readonly #call: Call

  constructor(call: Call, limits: MemoryStoreLimits) {
    this.#call = call
    void call('create', limits)
  }

  async submit(work: Work, terms: Terms): Promise<Submitted> {
    const { view, known } = (await this.#call('submit', work, terms)) as Pick<Submitted, 'view' | 'known'>
    return {
      view,
      known,
      events: signal => this.#stream<JobEvent>(this.#call('open', 'events', view.id), signal),
      outcome: () => this.#call('outcome', view.id) as Promise<Outcome>
    }
  }

  get(id: string) {
    return this.#call('get', id) as Promise<JobView | 'expired' | undefined>
  }

  list(filter: JobFilter) {
    return this.#call('list', filter) as Promise<JobPage | 'expired' | undefined>
  }

  async cancel(id: string, why: Cancellation): Promise<void> {
    await this.#call('cancel', id, why)
  }

  follow(id: string, signal?: AbortSignal): AsyncIterable<JobEvent> {
    return this.#stream(this.#call('open', 'follow', id), signal)
  }

  result(id: string) {
    return this.#call('result', id) as Promise<JobResult | undefined>
  }

  refusal(owner: string) {
    return this.#call('refusal', owner) as Promise<Refusal | undefined>
  }

  async drain(): Promise<void> {
    await this.#call('drain')
  }

  async abort(): Promise<void> {
    await this.#call('abort')
  }

  stats() {
    return this.#call('stats') as Promise<StoreStats>
  }

  orders(maxImages: number, signal: AbortSignal): AsyncIterable<Order> {
    return this.#stream(this.#call('open', 'orders', maxImages), signal)
  }

  async report(id: string, event: WorkEvent): Promise<void> {
    await this.#call('report', id, event)
  }

  async settle(id: string, outcome: Outcome): Promise<void> {
    await this.#call('settle', id, outcome)
  }

  async *#stream<T>(opening: Promise<unknown>, signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    const id = await opening
    const close = () => void this.#call('close', id)
    signal?.addEventListener('abort', close)
    if (signal?.aborted === true) close()
    try {
      for (;;) {
        const { done, value } = (await this.#call('next', id)) as IteratorResult<T>
        if (done === true) return
        yield value
      }
    } finally {
      signal?.removeEventListener('abort', close)
      close()
    }
  }
}
