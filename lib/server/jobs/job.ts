import { randomUUID } from 'node:crypto'
import type { GivenUp } from './failure.js'
import { Feed } from './feed.js'
import type { JobEvent, JobView, Outcome, Terms } from './store.js'
import { inputBytes, type Work, type WorkEvent } from './work.js'

/** A job of the store in this process that is not over: its work, its state, and whoever listens to it. */
export class Job {
  readonly id: string
  readonly owner: string
  readonly priority: number
  readonly keep: boolean
  /** Images: an owner's share is counted in them. */
  readonly cost: number
  readonly inputBytes: number
  /** Why it was given up, while its worker has not stopped yet. */
  givenUp: GivenUp | undefined
  /** Let go when the job ends: whoever waits for the outcome does not hold the inputs. */
  #work: Work | undefined
  readonly #view: JobView
  readonly #feeds = new Set<Feed<JobEvent>>()
  #settle!: (outcome: Outcome) => void
  readonly outcome = new Promise<Outcome>(resolve => {
    this.#settle = resolve
  })

  /** @param keptMs how long it can be asked for when it is over */
  constructor(work: Work, { owner, priority, timeoutMs, keep, idempotency, webhookUrl, trace = null }: Terms, keptMs: number) {
    this.id = randomUUID()
    this.owner = owner
    this.priority = priority
    this.keep = keep
    this.cost = work.images
    this.inputBytes = inputBytes(work)
    this.#work = work
    const createdAt = Date.now()
    this.#view = {
      id: this.id,
      owner,
      model: work.model,
      kind: work.kind,
      state: 'queued',
      priority,
      position: null,
      progress: new Array<null>(work.images).fill(null),
      createdAt,
      startedAt: null,
      endedAt: null,
      expiresAt: keep ? createdAt + timeoutMs + keptMs : null,
      error: null,
      idempotency: idempotency ?? null,
      webhookUrl: webhookUrl ?? null,
      trace,
      reply: work.reply ?? { links: false, ignored: [], quality: 'auto' }
    }
  }

  get over(): boolean {
    return this.#view.endedAt !== null
  }

  get waits(): boolean {
    return this.#view.state === 'queued'
  }

  /** @returns the work to run */
  start(): Work {
    this.#view.state = 'running'
    this.#view.startedAt = Date.now()
    this.#tell({ type: 'view', view: this.view(null) })
    return this.#work!
  }

  emit(event: WorkEvent): void {
    if (event.type === 'step') this.#view.progress[event.image] = { stage: event.stage, step: event.step, steps: event.steps }
    this.#tell(event)
  }

  /**
   * The last change of state.
   * @param keptMs how long the job can still be asked for; null where nobody keeps it
   */
  end(outcome: Outcome, keptMs: number | null): void {
    this.#work = undefined
    this.#view.state = outcome.state
    this.#view.endedAt = Date.now()
    this.#view.expiresAt = keptMs === null ? null : this.#view.endedAt + keptMs
    if (outcome.state !== 'succeeded') this.#view.error = outcome.error
    this.#tell({ type: 'view', view: this.view(null) })
    for (const feed of this.#feeds) feed.close()
    this.#settle(outcome)
  }

  view(position: number | null): JobView {
    return { ...this.#view, position, progress: [...this.#view.progress] }
  }

  /**
   * The job as it is, and what happens from here on until it is over. A slow listener misses steps that newer ones have
   * overtaken, and nothing else. Ends early when the signal is aborted.
   */
  async *events(position: () => number | null, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    if (signal?.aborted === true) return
    const feed = new Feed<JobEvent>()
    const stop = () => feed.cut()
    signal?.addEventListener('abort', stop)
    feed.push({ type: 'view', view: this.view(position()) })
    if (this.over) feed.close()
    else this.#feeds.add(feed)
    try {
      yield* feed
    } finally {
      this.#feeds.delete(feed)
      signal?.removeEventListener('abort', stop)
    }
  }

  #tell(event: JobEvent): void {
    for (const feed of this.#feeds)
      feed.push(event, event.type === 'step' ? waiting => waiting.type === 'step' && waiting.image === event.image : undefined)
  }
}
