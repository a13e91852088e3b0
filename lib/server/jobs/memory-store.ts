import type { Limits } from '../limits.js'
import { cancelled, refused, shutDown, timedOut, workerLost, type Cancellation, type GivenUp, type Refusal } from './failure.js'
import { FairQueue } from './fair-queue.js'
import { Feed } from './feed.js'
import { IdempotencyKeys, isAnswer } from './idempotency.js'
import { Job } from './job.js'
import { Shelf, type ShelfLimits } from './shelf.js'
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
} from './store.js'
import type { JobResult, Work, WorkEvent } from './work.js'

export type MemoryStoreLimits = ShelfLimits & Pick<Limits, 'maxQueued' | 'maxQueuedPerKey'>

/** A worker as the store sees it. */
interface Worker {
  maxImages: number
  orders: Feed<Order>
  jobs: Set<Job>
}

/** Jobs in the memory of this process. */
export class MemoryStore implements JobStore, WorkSource {
  readonly #limits: MemoryStoreLimits
  readonly #observers: readonly StoreObserver[]
  readonly #queue = new FairQueue<Job>()
  readonly #live = new Map<string, Job>()
  readonly #workers = new Set<Worker>()
  readonly #shelf: Shelf
  readonly #keys = new IdempotencyKeys()
  /** Ids of the jobs that are kept, in the order in which they came. */
  readonly #kept = new Set<string>()
  #inputBytes = 0
  #heard = 0
  #draining = false
  #idle = () => {}

  constructor(limits: MemoryStoreLimits, observers: readonly StoreObserver[] = []) {
    this.#limits = limits
    this.#observers = observers
    this.#shelf = new Shelf(limits, view => {
      this.#kept.delete(view.id)
      this.#keys.remove(view)
    })
  }

  async submit(work: Work, terms: Terms): Promise<Submitted> {
    const known = this.#known(terms)
    if (known !== undefined) return known
    const refusal = this.#refusal(terms.owner)
    if (refusal !== undefined) throw refused(refusal)
    const job = new Job(work, terms, this.#shelf.ttlMs)
    this.#live.set(job.id, job)
    if (job.keep) this.#kept.add(job.id)
    this.#keys.add(job.view(null))
    this.#inputBytes += job.inputBytes
    this.#queue.push(job)
    const timer = setTimeout(() => this.#giveUp(job, timedOut(terms.timeoutMs)), terms.timeoutMs)
    void job.outcome.then(() => clearTimeout(timer))
    this.#observe(observer => observer.queued?.(job.view(this.#queue.size - 1)))
    this.#fill()
    return this.#submitted(job, false)
  }

  async get(id: string): Promise<JobView | 'expired' | undefined> {
    const job = this.#live.get(id)
    if (job !== undefined) return this.#view(job)
    const finished = this.#shelf.get(id)
    return finished === undefined || finished === 'expired' ? finished : finished.view
  }

  async list({ owner, after, limit }: JobFilter): Promise<JobPage | 'expired' | undefined> {
    const views = [...this.#kept].reverse().map(id => this.#keptView(id))
    const all = views.filter(view => owner === undefined || view.owner === owner)
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
    // From the beginning again, whoever goes from page to page would never come to an end.
    if (after !== undefined && from === 0) return this.#shelf.get(after) === 'expired' ? 'expired' : undefined
    // A place in the queue is looked for only where it is shown.
    const jobs = all.slice(from, from + limit).map(view => {
      const job = this.#live.get(view.id)
      return job === undefined ? view : this.#view(job)
    })
    return { jobs, more: all.length > from + limit }
  }

  async cancel(id: string, why: Cancellation): Promise<void> {
    const job = this.#live.get(id)
    if (job === undefined) return
    this.#giveUp(job, cancelled(why))
    await job.outcome
  }

  async *follow(id: string, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    const job = this.#live.get(id)
    const view = job === undefined ? await this.get(id) : undefined
    if (job !== undefined) yield* this.#events(job, signal)
    else if (view !== undefined && view !== 'expired') yield { type: 'view', view }
  }

  async result(id: string): Promise<JobResult | undefined> {
    const finished = this.#shelf.get(id)
    return finished === undefined || finished === 'expired' ? undefined : finished.result
  }

  async refusal(owner: string): Promise<Refusal | undefined> {
    return this.#refusal(owner)
  }

  async drain(): Promise<void> {
    this.#draining = true
    for (const job of [...this.#queue.order()]) this.#giveUp(job, shutDown())
    if (this.#live.size > 0)
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    for (const { orders } of this.#workers) orders.close()
    this.#shelf.clear()
  }

  async abort(): Promise<void> {
    for (const job of [...this.#live.values()]) this.#giveUp(job, shutDown())
  }

  async stats(): Promise<StoreStats> {
    const running = this.#live.size - this.#queue.size
    return {
      queued: this.#queue.size,
      running,
      runningImages: [...this.#workers].reduce((sum, worker) => sum + imagesOf(worker), 0),
      kept: this.#shelf.size,
      keptBytes: this.#shelf.bytes,
      inputBytes: this.#inputBytes,
      silentMs: running === 0 ? 0 : performance.now() - this.#heard
    }
  }

  orders(maxImages: number, signal: AbortSignal): AsyncIterable<Order> {
    const worker: Worker = { maxImages, orders: new Feed(), jobs: new Set() }
    this.#workers.add(worker)
    signal.addEventListener('abort', () => this.#leave(worker), { once: true })
    this.#fill()
    return worker.orders
  }

  async report(id: string, event: WorkEvent): Promise<void> {
    const job = this.#live.get(id)
    if (job === undefined || job.waits) return
    this.#heard = performance.now()
    job.emit(event)
    this.#observe(observer => observer.reported?.(id, event))
  }

  async settle(id: string, outcome: Outcome): Promise<void> {
    const job = this.#live.get(id)
    if (job === undefined || job.waits) return
    if (outcome.state === 'succeeded') this.#heard = performance.now()
    this.#end(job, outcome)
  }

  /** The job that was asked for before by the same key. */
  #known({ owner, idempotency }: Terms): Submitted | undefined {
    const id = idempotency === undefined ? undefined : this.#keys.find(owner, idempotency)
    const job = id === undefined ? undefined : this.#live.get(id)
    if (job !== undefined) return this.#submitted(job, true)
    const finished = id === undefined ? undefined : this.#shelf.get(id)
    if (finished === undefined || finished === 'expired') return undefined
    const { view, result } = finished
    const outcome =
      result === undefined ? ({ state: view.state, error: view.error } as GivenUp) : { state: 'succeeded' as const, result }
    return { view, known: true, events: signal => this.follow(view.id, signal), outcome: async () => outcome }
  }

  #submitted(job: Job, known: boolean): Submitted {
    return { view: this.#view(job), known, events: signal => this.#events(job, signal), outcome: () => job.outcome }
  }

  #refusal(owner: string): Refusal | undefined {
    if (this.#draining) return 'shutdown'
    if (this.#queue.size >= this.#limits.maxQueued) return 'maxQueued'
    return this.#queue.sizeOf(owner) >= this.#limits.maxQueuedPerKey ? 'maxQueuedPerKey' : undefined
  }

  /** Hands out what fits. A job that does not fit yet is waited for: small jobs would keep a large one waiting for ever. */
  #fill(): void {
    for (;;) {
      const next = this.#queue.peek()
      const worker = next === undefined ? undefined : this.#workerFor(next)
      if (next === undefined || worker === undefined) return
      // A job that starts says nothing of those that run.
      if (this.#live.size === this.#queue.size) this.#heard = performance.now()
      this.#queue.take()
      worker.jobs.add(next)
      worker.orders.push({ type: 'run', id: next.id, work: next.start() })
      this.#observe(observer => observer.started?.(next.view(null)))
    }
  }

  /** The worker that makes the fewest images, of those that have room. */
  #workerFor({ cost }: Job): Worker | undefined {
    const free = [...this.#workers].filter(worker => worker.jobs.size === 0 || imagesOf(worker) + cost <= worker.maxImages)
    return free.sort((a, b) => imagesOf(a) - imagesOf(b))[0]
  }

  #leave(worker: Worker): void {
    this.#workers.delete(worker)
    worker.orders.cut()
    for (const job of worker.jobs) this.#end(job, workerLost())
  }

  /** A job that waits ends at once; one that runs ends when its worker has stopped. The first reason counts. */
  #giveUp(job: Job, reason: GivenUp): void {
    if (job.over || job.givenUp !== undefined) return
    job.givenUp = reason
    if (this.#queue.remove(job)) this.#end(job, reason)
    else this.#workerOf(job)?.orders.push({ type: 'stop', id: job.id })
  }

  /** What was given up stays so, even where its worker was done before it heard of it. */
  #end(job: Job, outcome: Outcome): void {
    const last = job.givenUp ?? outcome
    this.#workerOf(job)?.jobs.delete(job)
    this.#live.delete(job.id)
    this.#inputBytes -= job.inputBytes
    job.end(last, job.keep ? this.#shelf.ttlMs : null)
    const view = job.view(null)
    const result = last.state === 'succeeded' ? last.result : undefined
    if (job.keep) this.#shelf.put(view, result)
    if (!isAnswer(last)) this.#keys.remove(view)
    this.#observe(observer => observer.ended?.(view, result?.kind === 'images' ? result.timings : null))
    this.#fill()
    if (this.#live.size === 0) this.#idle()
  }

  #workerOf(job: Job): Worker | undefined {
    return [...this.#workers].find(({ jobs }) => jobs.has(job))
  }

  #events(job: Job, signal: AbortSignal | undefined): AsyncGenerator<JobEvent, void, undefined> {
    return job.events(() => this.#position(job), signal)
  }

  #view(job: Job): JobView {
    return job.view(this.#position(job))
  }

  /** A job that is kept is live or on the shelf. */
  #keptView(id: string): JobView {
    return this.#live.get(id)?.view(null) ?? (this.#shelf.get(id) as { view: JobView }).view
  }

  #position(job: Job): number | null {
    return job.waits ? [...this.#queue.order()].indexOf(job) : null
  }

  #observe(tell: (observer: StoreObserver) => void): void {
    for (const observer of this.#observers) tell(observer)
  }
}

function imagesOf({ jobs }: Worker): number {
  return [...jobs].reduce((sum, { cost }) => sum + cost, 0)
}
