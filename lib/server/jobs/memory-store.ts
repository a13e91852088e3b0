import { WuerstchenError } from '../../errors.js'
import { FairQueue } from './fair-queue.js'
import { Job } from './job.js'
import { Shelf, type ShelfLimits } from './shelf.js'
import type { JobEvent, JobStore, JobView, Refusal, StoreStats, Submitted, Terms } from './store.js'
import type { JobResult, Runner, Work } from './work.js'

export interface MemoryStoreLimits extends ShelfLimits {
  /** Jobs that may wait, of everybody and of one owner. */
  maxQueued: number
  maxQueuedPerOwner: number
  /** Pictures that are made at once; a job with more of them runs alone. */
  maxRunningImages: number
  /** Bytes of input that jobs may hold. */
  maxInputBytes: number
}

/** Hears of every job: metrics, logs, diagnostics. */
export interface StoreObserver {
  queued?(job: JobView): void
  started?(job: JobView): void
  ended?(job: JobView, result: JobResult | undefined): void
}

const REFUSED: Record<Refusal, string> = {
  full: 'Expected room in the queue but it is full',
  share: 'Expected room in the queue but this owner has as many jobs in it as one may have',
  draining: 'Expected a server that takes work but it is shutting down'
}

/** Jobs in the memory of this process. */
export class MemoryStore implements JobStore {
  readonly #run: Runner
  readonly #limits: MemoryStoreLimits
  readonly #observers: readonly StoreObserver[]
  readonly #queue = new FairQueue<Job>()
  readonly #live = new Map<string, Job>()
  readonly #shelf: Shelf
  #runningImages = 0
  #inputBytes = 0
  #heard = 0
  #draining = false
  #idle = () => {}

  constructor(run: Runner, limits: MemoryStoreLimits, observers: readonly StoreObserver[] = []) {
    this.#run = run
    this.#limits = limits
    this.#observers = observers
    this.#shelf = new Shelf(limits)
  }

  async submit(work: Work, terms: Terms): Promise<Submitted> {
    const job = new Job(work, terms)
    const refusal =
      this.refusal(job.owner) ?? (this.#inputBytes + job.inputBytes > this.#limits.maxInputBytes ? 'full' : undefined)
    if (refusal !== undefined) throw refused(refusal)
    this.#live.set(job.id, job)
    this.#inputBytes += job.inputBytes
    this.#queue.push(job)
    const timer = setTimeout(
      () =>
        job.controller.abort(
          new WuerstchenError('TIMEOUT', `Expected a result within ${terms.timeoutMs} ms but there is none`, {
            subject: 'timeoutSeconds'
          })
        ),
      terms.timeoutMs
    )
    void job.ended.then(() => clearTimeout(timer))
    job.controller.signal.addEventListener('abort', () => this.#giveUp(job), { once: true })
    this.#observe('queued', job)
    this.#fill()
    return { view: this.#view(job), events: signal => this.#events(job, signal), result: () => resultOf(job) }
  }

  async get(id: string): Promise<JobView | 'expired' | undefined> {
    const job = this.#find(id)
    return job === undefined || job === 'expired' ? job : this.#view(job)
  }

  async list({
    owner,
    after,
    limit
  }: {
    owner?: string
    after?: string
    limit: number
  }): Promise<{ jobs: JobView[]; more: boolean }> {
    const all = [...this.#shelf.jobs(), ...this.#live.values()].filter(
      job => job.keep && (owner === undefined || job.owner === owner)
    )
    // Two jobs of one millisecond keep their order, for the sort is stable and both lists are in the order of arrival.
    all.sort((a, b) => a.createdAt - b.createdAt).reverse()
    const rest = all.slice(after === undefined ? 0 : all.findIndex(job => job.id === after) + 1)
    return { jobs: rest.slice(0, limit).map(job => this.#view(job)), more: rest.length > limit }
  }

  async cancel(id: string, reason: unknown): Promise<void> {
    const job = this.#live.get(id)
    job?.controller.abort(reason)
    await job?.ended
  }

  async *follow(id: string, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    const job = this.#find(id)
    if (job instanceof Job) yield* this.#events(job, signal)
  }

  async result(id: string): Promise<JobResult | undefined> {
    const job = this.#find(id)
    return job instanceof Job ? job.result : undefined
  }

  refusal(owner: string): Refusal | undefined {
    if (this.#draining) return 'draining'
    if (this.#queue.size >= this.#limits.maxQueued) return 'full'
    return this.#queue.sizeOf(owner) >= this.#limits.maxQueuedPerOwner ? 'share' : undefined
  }

  async drain(): Promise<void> {
    this.#draining = true
    for (const job of [...this.#queue.order()]) job.controller.abort(refused('draining'))
    if (this.#live.size > 0)
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    this.#shelf.clear()
  }

  abort(reason: unknown): void {
    for (const job of this.#live.values()) job.controller.abort(reason)
  }

  stats(): StoreStats {
    const running = this.#live.size - this.#queue.size
    return {
      queued: this.#queue.size,
      running,
      runningImages: this.#runningImages,
      kept: this.#shelf.size,
      keptBytes: this.#shelf.bytes,
      inputBytes: this.#inputBytes,
      silentMs: running === 0 ? 0 : performance.now() - this.#heard
    }
  }

  #fill(): void {
    for (;;) {
      const next = this.#queue.peek()
      // A job that does not fit yet is waited for, not overtaken: small jobs would keep a large one waiting for ever.
      if (next === undefined || (this.#runningImages > 0 && this.#runningImages + next.cost > this.#limits.maxRunningImages))
        return
      this.#queue.take()
      this.#runningImages += next.cost
      void this.#start(next)
    }
  }

  async #start(job: Job): Promise<void> {
    this.#heard = performance.now()
    job.start()
    this.#observe('started', job)
    const { signal } = job.controller
    try {
      const result = await this.#run(job.work, signal, event => {
        this.#heard = performance.now()
        if (!job.over) job.emit(event)
      })
      if (signal.aborted) this.#end(job, outcomeOf(signal.reason))
      else this.#end(job, { state: 'succeeded', result })
    } catch (error) {
      this.#end(job, signal.aborted ? outcomeOf(signal.reason) : { state: 'failed', error })
    } finally {
      this.#runningImages -= job.cost
      this.#fill()
    }
  }

  /** A job that waits ends at once; one that runs ends when the runner has noticed. */
  #giveUp(job: Job): void {
    if (!this.#queue.remove(job)) return
    this.#end(job, outcomeOf(job.controller.signal.reason))
    this.#fill()
  }

  #end(job: Job, outcome: Parameters<Job['end']>[0]): void {
    this.#live.delete(job.id)
    this.#inputBytes -= job.inputBytes
    job.end(outcome, job.keep ? this.#shelf.expiry() : null)
    if (job.keep) this.#shelf.put(job)
    this.#observe('ended', job)
    if (this.#live.size === 0) this.#idle()
  }

  #find(id: string): Job | 'expired' | undefined {
    return this.#live.get(id) ?? this.#shelf.get(id)
  }

  #events(job: Job, signal: AbortSignal | undefined): AsyncGenerator<JobEvent, void, undefined> {
    return job.events(() => this.#position(job), signal)
  }

  #view(job: Job): JobView {
    return job.view(this.#position(job))
  }

  #position(job: Job): number | null {
    return job.state === 'queued' ? [...this.#queue.order()].indexOf(job) : null
  }

  #observe(what: 'queued' | 'started' | 'ended', job: Job): void {
    for (const observer of this.#observers) {
      if (what === 'ended') observer.ended?.(job.view(null), job.result)
      else observer[what]?.(job.view(what === 'queued' ? this.#queue.size - 1 : null))
    }
  }
}

async function resultOf(job: Job): Promise<JobResult> {
  await job.ended
  if (job.result === undefined) throw job.error
  return job.result
}

/** Running out of time and being turned away are failures; anything else that gives a job up was somebody's wish. */
function outcomeOf(reason: unknown): { state: 'failed' | 'cancelled'; error: unknown } {
  return { state: WuerstchenError.is(reason) ? 'failed' : 'cancelled', error: reason }
}

function refused(refusal: Refusal): WuerstchenError {
  return new WuerstchenError('QUEUE_FULL', REFUSED[refusal], { subject: refusal })
}
