import { randomUUID } from 'node:crypto'
import type { ImageProgress, JobEvent, JobState, JobView, Terms } from './store.js'
import { inputBytes, type JobResult, type Work, type WorkEvent } from './work.js'

/** One job of the store in this process: its state, and whoever listens to it. */
export class Job {
  readonly id = randomUUID()
  readonly work: Work
  readonly owner: string
  readonly priority: number
  readonly keep: boolean
  /** Pictures, which are what an owner's share is counted in. */
  readonly cost: number
  readonly inputBytes: number
  readonly createdAt = Date.now()
  startedAt: number | null = null
  endedAt: number | null = null
  expiresAt: number | null = null
  state: JobState = 'queued'
  result: JobResult | undefined
  error: unknown = null
  /** Aborted when the job is given up, whatever its state. */
  readonly controller = new AbortController()
  readonly #progress: (ImageProgress | null)[]
  readonly #listeners = new Set<(event: JobEvent) => void>()
  #settle!: () => void
  /** Resolves when the job is over, however it ended. */
  readonly ended = new Promise<void>(resolve => {
    this.#settle = resolve
  })

  constructor(work: Work, { owner, priority, keep }: Terms) {
    this.work = work
    this.owner = owner
    this.priority = priority
    this.keep = keep
    this.cost = work.images
    this.inputBytes = inputBytes(work)
    this.#progress = new Array<null>(work.images).fill(null)
  }

  get over(): boolean {
    return this.endedAt !== null
  }

  start(): void {
    this.state = 'running'
    this.startedAt = Date.now()
    this.#tell({ type: 'view', view: this.view(null) })
  }

  emit(event: WorkEvent): void {
    if (event.type === 'step') this.#progress[event.image] = { stage: event.stage, step: event.step, steps: event.steps }
    this.#tell(event)
  }

  /** The last change of state. */
  end(
    outcome: { state: 'succeeded'; result: JobResult } | { state: 'failed' | 'cancelled'; error: unknown },
    expiresAt: number | null
  ): void {
    this.state = outcome.state
    this.endedAt = Date.now()
    this.expiresAt = expiresAt
    if (outcome.state === 'succeeded') this.result = outcome.result
    else this.error = outcome.error
    this.#tell({ type: 'view', view: this.view(null) })
    this.#settle()
  }

  view(position: number | null): JobView {
    const {
      id,
      owner,
      work: { model, kind },
      state,
      priority,
      createdAt,
      startedAt,
      endedAt,
      expiresAt,
      error
    } = this
    return {
      id,
      owner,
      model,
      kind,
      state,
      priority,
      position,
      progress: [...this.#progress],
      createdAt,
      startedAt,
      endedAt,
      expiresAt,
      error
    }
  }

  /**
   * The job as it is, and what happens from here on until it is over. A slow listener misses steps that newer ones have
   * overtaken, and nothing else. Ends early when the signal is aborted.
   */
  async *events(position: () => number | null, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    const waiting: JobEvent[] = [{ type: 'view', view: this.view(position()) }]
    let wake = () => {}
    const listener = (event: JobEvent) => {
      const stale = event.type === 'step' ? waiting.findIndex(other => other.type === 'step' && other.image === event.image) : -1
      if (stale >= 0) waiting.splice(stale, 1)
      waiting.push(event)
      wake()
    }
    this.#listeners.add(listener)
    const stop = () => wake()
    signal?.addEventListener('abort', stop)
    try {
      while ((!this.over || waiting.length > 0) && signal?.aborted !== true) {
        const event = waiting.shift()
        if (event !== undefined) yield event
        else
          await new Promise<void>(resolve => {
            wake = resolve
          })
      }
    } finally {
      this.#listeners.delete(listener)
      signal?.removeEventListener('abort', stop)
    }
  }

  #tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
