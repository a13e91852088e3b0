import { announce } from './announce.js'
import { Refusal } from './api.js'
import { titleOf, toJob, type Ask } from './ask.js'
import { History, MOST_RUNS } from './history.js'
import { cancelJob, followJob, submitJob } from './job.js'
import { createRun, isOver, type Run } from './run.js'

export interface RunsHooks {
  /** A run is new, or something about it has changed. */
  changed(run: Run): void
  removed(run: Run): void
  /** The server did not take a request at all. */
  refused(error: Refusal): void
}

/** All runs of the page: starts, follows, cancels and keeps them. */
export class Runs {
  readonly #history = new History()
  readonly #hooks: RunsHooks
  readonly #all: Run[] = []
  readonly #cancelled = new WeakSet<Run>()

  constructor(hooks: RunsHooks) {
    this.#hooks = hooks
  }

  /** Shows what was kept, and goes on with what was running when the page was left. */
  async restore(): Promise<void> {
    const kept = await this.#history.load()
    for (const run of kept.slice(MOST_RUNS)) await this.#history.remove(run.id)
    for (const run of kept.slice(0, MOST_RUNS).reverse()) {
      this.#all.unshift(run)
      if (!isOver(run) && run.job === undefined)
        Object.assign(run, { state: 'failed', problem: 'The page was left before it was sent.' })
      this.#hooks.changed(run)
      if (!isOver(run)) void this.#finish(run, () => this.#follow(run))
    }
  }

  async start(ask: Ask): Promise<void> {
    const run = createRun(ask)
    this.#all.unshift(run)
    this.#hooks.changed(run)
    announce(`Started: ${titleOf(ask)}`)
    await this.#finish(run, async () => {
      await submitJob(await toJob(ask), run)
      await this.#keep(run)
      // It was cancelled before the server had answered.
      if (this.#cancelled.has(run)) await cancelJob(run)
      await this.#follow(run)
    })
  }

  async cancel(run: Run): Promise<void> {
    if (isOver(run)) return
    this.#cancelled.add(run)
    if (run.job !== undefined)
      await cancelJob(run).catch((error: unknown) => {
        run.problem = messageOf(error)
      })
    this.#hooks.changed(run)
  }

  /** Cancels what was started last and is not over. */
  cancelLast(): boolean {
    const run = this.#all.find(each => !isOver(each))
    if (run === undefined) return false
    void this.cancel(run)
    return true
  }

  async remove(run: Run): Promise<void> {
    await this.cancel(run)
    this.#all.splice(this.#all.indexOf(run), 1)
    this.#hooks.removed(run)
    await this.#history.remove(run.id)
  }

  async clear(): Promise<void> {
    for (const run of [...this.#all]) await this.remove(run)
  }

  async #finish(run: Run, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof Refusal && run.job === undefined) this.#hooks.refused(error)
      run.state = 'failed'
      run.problem = messageOf(error)
    }
    announce(summaryOf(run))
    await this.#keep(run)
  }

  #follow(run: Run): Promise<void> {
    return followJob(run, () => {
      if (this.#all.includes(run)) this.#hooks.changed(run)
    })
  }

  /** Shows and keeps a run, unless it was removed meanwhile. */
  async #keep(run: Run): Promise<void> {
    if (!this.#all.includes(run)) return
    this.#hooks.changed(run)
    await this.#history.save(run)
  }
}

function summaryOf(run: Run): string {
  const title = titleOf(run.ask)
  if (run.state === 'succeeded')
    return `Finished: ${title}, ${run.slots.length === 1 ? 'one picture' : `${run.slots.length} pictures`}`
  return run.state === 'cancelled' ? `Cancelled: ${title}` : `Failed: ${title}. ${run.problem ?? ''}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
