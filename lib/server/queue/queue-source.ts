import { cancelled, factsOf, type JobError } from '../jobs/failure.js'
import { Feed } from '../jobs/feed.js'
import type { Order, Outcome, StoreObserver, StoreStats, WorkSource } from '../jobs/store.js'
import type { Work, WorkEvent } from '../jobs/work.js'
import type { Blobs } from './blobs.js'
import { courtesyMs } from './courtesy.js'
import type { Claimed, QueueDatabase } from './queue-database.js'
import type { Hearing, News } from './news.js'
import type { Patience } from './patience.js'
import { endOf, RUN_MS, settleRun, type Run } from './run.js'
import { unlessAborted, type Ticket, type TicketTaker } from './tickets.js'
import { Voice } from './voice.js'

export interface QueueSourceOptions {
  /** The name of this worker. */
  id: string
  database: QueueDatabase
  news: News
  blobs: Blobs
  patience: Patience
  /** By the names of the models that this worker offers. */
  takers: ReadonlyMap<string, TicketTaker>
  /** What a job asks for. @throws WuerstchenError where this worker does not do it */
  workOf(claimed: Exclude<Claimed, string>, model: string): Promise<Work>
  /** Jobs to take in all; undefined: any number. */
  maxJobs: number | undefined
  /** Whether to end when there is nothing to do. */
  once: boolean
  /** Hears how long a job ran that succeeded. */
  measured(work: Work, ms: number): void
  /** Whether after such a failure nothing that runs in this process can be trusted. */
  poisons(work: Work, error: JobError): Promise<boolean>
  /** Hears that this process is not to run anything any more. */
  poisoned(): void
  /** Whether a model can be used now. */
  offers(model: string): boolean
  /** Hears that no more work is taken. */
  leaving(): void
  observers: readonly StoreObserver[]
}

/** How often a worker looks for work by itself. Messages are the quick way. */
const LOOK_MS = 500

/** The work of a queue's database, as one worker sees it. */
export class QueueSource implements WorkSource {
  readonly #options: QueueSourceOptions
  /** By what orders call them: a job that comes back while its first run ends here is another run. */
  readonly #runs = new Map<string, Run>()
  readonly #orders = new Feed<Order>()
  readonly #hearings: Hearing[] = []
  #wake = () => {}
  #woken = false
  #draining = false
  #taken = 0
  #heard = performance.now()
  #begin = () => {}
  readonly #begun = new Promise<void>(resolve => {
    this.#begin = resolve
  })
  /** Aborted when nothing is taken any more. */
  readonly #leaving = new AbortController()
  #end = () => {}
  readonly #over = new Promise<void>(resolve => {
    this.#end = resolve
  })

  constructor(options: QueueSourceOptions) {
    this.#options = options
    const { news, takers } = options
    this.#hearings.push(
      news.hear('work', model => {
        if (!takers.has(model)) return
        if (this.#runs.size === 0) this.#look()
        else setTimeout(() => this.#look(), courtesyMs(this.runningImages))
      }),
      news.hear('stop', name => this.#stop(name.replace(' ', '/')))
    )
  }

  orders(maxImages: number, signal: AbortSignal): AsyncIterable<Order> {
    signal.addEventListener('abort', () => this.#look(), { once: true })
    void this.#serve(maxImages, signal)
    return this.#orders
  }

  /** Resolves when this worker has taken its last job and that is over. */
  get over(): Promise<void> {
    return this.#over
  }

  async report(name: string, event: WorkEvent): Promise<void> {
    const run = this.#runs.get(name)
    if (run === undefined) return
    this.#heard = performance.now()
    await run.voice.say(event)
  }

  async settle(name: string, outcome: Outcome): Promise<void> {
    const run = this.#runs.get(name)
    if (run === undefined) return
    let seen = false
    try {
      await run.voice.said()
      run.left ||= await this.#poisons(run, outcome)
      if (run.left) return
      // One that ends well at the last moment counts, unless another one has begun.
      if (run.givenBack !== undefined && outcome.state !== 'succeeded') {
        await run.givenBack
        return
      }
      seen = await settleRun(this.#options, run, outcome)
    } catch (error) {
      await run.ticket.giveBack().catch(() => {})
      throw error
    } finally {
      this.#runs.delete(name)
      const { state, error, timings } = seen ? endOf(outcome) : { ...cancelled('job_cancelled'), timings: null }
      for (const each of this.#options.observers) each.ended?.({ ...run.view, state, error, endedAt: Date.now() }, timings)
      this.#look()
    }
  }

  /** Takes work from now on. */
  begin(): void {
    this.#begin()
  }

  /** Takes no more; resolves when nothing runs. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#leaving.abort()
    this.#options.leaving()
    this.#begin()
    this.#look()
    await this.#over
  }

  /** Gives back what runs: other workers go on with it, whatever the engine does here. */
  async abort(): Promise<void> {
    this.#draining = true
    this.#options.patience.endSoon()
    await Promise.all([...this.#runs].map(([name, run]) => this.#giveBack(name, run)))
    // What a run still has to say to a queue that is away is not waited for.
    this.#end()
  }

  /** Of this worker alone. */
  async stats(): Promise<StoreStats> {
    const running = this.#runs.size
    const silentMs = running === 0 ? 0 : performance.now() - this.#heard
    return { queued: 0, running, runningImages: this.runningImages, kept: 0, keptBytes: 0, inputBytes: 0, silentMs }
  }

  get runningImages(): number {
    return [...this.#runs.values()].reduce((sum, { images }) => sum + images, 0)
  }

  get draining(): boolean {
    return this.#draining
  }

  async #serve(maxImages: number, signal: AbortSignal): Promise<void> {
    // Also for a worker that ends before it has begun.
    signal.addEventListener('abort', () => this.#begin(), { once: true })
    await this.#begun
    await this.#takeWork(maxImages, signal)
    while (this.#runs.size > 0 && !signal.aborted) {
      this.#woken = false
      await this.#pause()
    }
    this.#orders.close()
    for (const { end } of this.#hearings) end()
    this.#end()
  }

  async #takeWork(maxImages: number, signal: AbortSignal): Promise<void> {
    const { takers, once, maxJobs } = this.#options
    const ended = () => signal.aborted || this.#draining || (maxJobs !== undefined && this.#taken >= maxJobs)
    while (!ended()) {
      this.#woken = false
      let [found, away] = [false, false]
      for (const [model, taker] of takers) {
        // A full worker leaves tickets to others.
        while (!ended() && this.#options.offers(model) && (this.#runs.size === 0 || this.runningImages < maxImages)) {
          const result = await this.#takeOne(model, taker, maxImages).catch(() => 'away' as const)
          found ||= result === 'run'
          away ||= result === 'away'
          if (result !== 'run' && result !== 'again') break
        }
      }
      if (once && !found && !away && this.#runs.size === 0) return
      if (!this.#woken && !ended()) await this.#pause()
    }
  }

  async #takeOne(model: string, taker: TicketTaker, maxImages: number): Promise<'run' | 'wait' | 'nothing' | 'again'> {
    const ticket = await unlessAborted(taker.take(), this.#leaving.signal)
    if (ticket === undefined) return 'nothing'
    try {
      return await this.#use(ticket, model, maxImages)
    } catch (error) {
      // What it stands for is done by somebody else, or here at the next try. Kept, it would be in nobody's hands for ever.
      await ticket.giveBack().catch(() => {})
      throw error
    }
  }

  async #use(ticket: Ticket, model: string, maxImages: number): Promise<'run' | 'wait' | 'again'> {
    const { database, id: worker } = this.#options
    const [room, idle] = [maxImages - this.runningImages, this.#runs.size === 0]
    const claimed = await database.claim({ model, ticket: ticket.id, worker, room, idle })
    if (claimed === 'nothing') {
      await ticket.finish()
      return 'again'
    }
    if (claimed === 'wait') {
      await ticket.giveBack()
      return 'wait'
    }
    await this.#start(ticket, model, claimed)
    return 'run'
  }

  async #start(ticket: Ticket, model: string, claimed: Exclude<Claimed, string>): Promise<void> {
    const { database, blobs, patience, workOf, observers } = this.#options
    const { run: number, record } = claimed
    const { view } = record
    const { id } = view
    const name = `${id}/${number}`
    const run: Run = {
      ...{ id, number, ticket, view, images: view.progress.length, work: undefined },
      voice: new Voice(id, number, { database, blobs, patience, ttlMs: RUN_MS, unwanted: () => this.#stop(name) }),
      ...{ startedAt: performance.now(), left: false, givenBack: undefined }
    }
    // A run that starts says nothing of those that run.
    if (this.#runs.size === 0) this.#heard = performance.now()
    this.#runs.set(name, run)
    this.#taken++
    for (const observer of observers) {
      observer.queued?.({ ...view, state: 'queued' })
      observer.started?.(view)
    }
    try {
      run.work = await workOf(claimed, model)
      this.#orders.push({ type: 'run', id: name, work: run.work })
    } catch (error) {
      await this.settle(name, { state: 'failed', error: factsOf(error) })
      return
    }
    if (run.givenBack !== undefined) this.#stop(name)
  }

  /**
   * A context that a fault has poisoned fails whatever comes next, so nothing is tried again here. The ticket is kept until this
   * process has ended: work that does this to each worker is to be found out.
   */
  async #poisons({ work }: Run, outcome: Outcome): Promise<boolean> {
    const { poisons, poisoned } = this.#options
    if (outcome.state !== 'failed' || work === undefined || !(await poisons(work, outcome.error))) return false
    this.#draining = true
    poisoned()
    return true
  }

  async #giveBack(name: string, run: Run): Promise<void> {
    if (run.left) return
    const { database, patience } = this.#options
    this.#stop(name)
    run.givenBack ??= patience
      .ask(() => database.release(run.id, run.number))
      .then(() => run.ticket.giveBack())
      // It is taken from this worker after a while, and given to another one.
      .catch(() => {})
    await run.givenBack
  }

  #stop(name: string): void {
    if (this.#runs.has(name)) this.#orders.push({ type: 'stop', id: name })
  }

  #look(): void {
    this.#woken = true
    this.#wake()
  }

  async #pause(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, LOOK_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
