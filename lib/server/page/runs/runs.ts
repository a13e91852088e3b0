import { announce } from '../dom/announce.js'
import { tab } from '../dom/tab.js'
import { Refusal } from '../api/send.js'
import type { Model } from '../api/models.js'
import { pause } from '../api/wake.js'
import { isSame, titleOf, type Ask } from './ask.js'
import { Follower } from './follower.js'
import { beyondLimits, History } from './history.js'
import { cancelJob } from './job.js'
import { holdOf, waitOf } from './hold.js'
import { hasLocks, locked } from './lock.js'
import { Outbox } from './outbox.js'
import { createRun, isOver, type Run } from './run.js'

export interface RunsHooks {
  /** A run is new, or something about it has changed. */
  changed(run: Run): void
  removed(run: Run): void
  /** The server did not take a request at all. */
  refused(error: Refusal): void
  modelOf(name: string): Model | undefined
}

/** Within this time, the same again is a double click or an impatient second tap. */
const IMPATIENCE_MS = 2000
/** As many old runs make room for a new one. */
const MOST_EVICTED = 10
/** What could not be sent for so long is not wanted any more. */
const LONGEST_UNSENT_MS = 24 * 3600 * 1000

/** All runs of the page: starts, follows, cancels and keeps them. */
export class Runs {
  readonly #history = new History()
  readonly #hooks: RunsHooks
  readonly #outbox: Outbox
  readonly #follower = new Follower()
  /** The newest first. */
  readonly #all: Run[] = []
  #keeps = true
  readonly #cancels = new WeakMap<Run, AbortController>()

  constructor(hooks: RunsHooks) {
    this.#hooks = hooks
    this.#outbox = new Outbox(hooks.modelOf)
    this.#history.listen({
      saved: id => {
        void this.#adopt(id)
      },
      removed: id => {
        const run = this.#all.find(each => each.id === id)
        if (run !== undefined) this.#drop(run)
      }
    })
  }

  /** Whether the browser kept what was to be kept last. */
  get keeps(): boolean {
    return this.#keeps
  }

  get all(): readonly Run[] {
    return this.#all
  }

  /** Shows what was kept, and goes on with what was not over when the page was left. */
  async restore(): Promise<void> {
    const kept = await this.#history.load()
    const beyond = new Set(beyondLimits(kept))
    for (const { id } of beyond) await this.#history.remove(id)
    for (const run of kept.filter(each => !beyond.has(each)).reverse()) this.#resume(run)
  }

  /** Starts them in this order; false: they were started just now, and are not started twice. */
  start(asks: readonly Ask[]): boolean {
    // What failed or was cancelled may be started again at once.
    const recent = this.#all.filter(
      run => Math.abs(Date.now() - run.at) < IMPATIENCE_MS && (!isOver(run) || run.state === 'succeeded')
    )
    if (asks.every(ask => recent.some(run => isSame(run.ask, ask)))) {
      announce('It has been started already')
      return false
    }
    for (const ask of asks) {
      const run = createRun({ ...ask })
      this.#all.unshift(run)
      this.#hooks.changed(run)
      void this.#finish(run)
    }
    announce(asks.length === 1 ? `Started: ${titleOf(asks[0]!)}` : `Started: ${asks.length} prompts`)
    return true
  }

  async cancel(run: Run): Promise<void> {
    if (isOver(run)) return
    this.#cancelOf(run).abort()
    for (let failures = 0; run.job !== undefined && !isOver(run); failures++) {
      try {
        await cancelJob(run)
        break
      } catch (error) {
        // What cannot be reached would go on working for nobody.
        if (holdOf(error) === undefined) {
          run.problem = messageOf(error)
          break
        }
        await pause(waitOf(error, failures))
      }
    }
    if (this.#all.includes(run)) this.#hooks.changed(run)
  }

  /** Cancels what was started last and is not over. */
  cancelLast(): boolean {
    const run = this.#all.find(each => !isOver(each))
    if (run === undefined) return false
    void this.cancel(run)
    return true
  }

  /** First what waits, so that nothing starts in the place of what was cancelled. */
  async cancelAll(): Promise<void> {
    const open = this.#all.filter(run => !isOver(run))
    const running = open.filter(({ state }) => state === 'running')
    await Promise.all(open.filter(run => !running.includes(run)).map(run => this.cancel(run)))
    await Promise.all(running.map(run => this.cancel(run)))
  }

  async remove(run: Run): Promise<void> {
    await this.#forget(run)
    await this.cancel(run)
  }

  async clear(): Promise<void> {
    const cancelled = this.cancelAll()
    await Promise.all([...this.#all].map(run => this.#forget(run)))
    await cancelled
  }

  /** Goes on with a run that was read from the history. */
  #resume(run: Run): void {
    delete run.hold
    const at = this.#all.findIndex(each => each.at < run.at)
    this.#all.splice(at === -1 ? this.#all.length : at, 0, run)
    if (run.job === undefined && !isOver(run) && Date.now() - run.at > LONGEST_UNSENT_MS)
      Object.assign(run, { state: 'failed', problem: 'It could not be sent for a day.' })
    this.#hooks.changed(run)
    if (!isOver(run) && (run.job !== undefined || run.tab === tab || hasLocks)) void this.#finish(run)
  }

  /** Takes over what another tab has kept. */
  async #adopt(id: string): Promise<void> {
    const stored = await this.#history.get(id)
    const known = this.#all.find(each => each.id === id)
    if (stored === undefined || (known !== undefined && (known.job !== undefined || stored.job === undefined))) return
    if (known === undefined) return this.#resume(stored)
    // Known here but sent there. Where there are locks, this tab waits for that and finds it out by itself.
    if (hasLocks || known.tab === tab) return
    this.#drop(known)
    this.#resume(stored)
  }

  async #finish(run: Run): Promise<void> {
    const changed = () => {
      if (this.#all.includes(run)) this.#hooks.changed(run)
    }
    try {
      await this.#keep(run)
      if (run.job === undefined) await locked(run.id, () => this.#send(run, changed))
      if (!isOver(run)) await this.#follower.follow(run, changed)
    } catch (error) {
      if (error instanceof Refusal && run.job === undefined) this.#hooks.refused(error)
      run.state = 'failed'
      run.problem = error instanceof Refusal && GONE.includes(error.status) ? GONE_MESSAGE : messageOf(error)
    }
    delete run.hold
    if (!this.#all.includes(run)) return
    announce(summaryOf(run))
    await this.#keep(run)
  }

  async #send(run: Run, changed: () => void): Promise<void> {
    // Another tab may have sent or removed it while this one waited for its turn.
    const stored = await this.#history.get(run.id)
    if (stored?.job !== undefined) Object.assign(run, { job: stored.job })
    if (stored?.mixed !== undefined) run.mixed = stored.mixed
    const { signal } = this.#cancelOf(run)
    if (run.job === undefined) await this.#outbox.send(run, signal, { changed, keep: () => this.#keep(run) })
    if (run.job === undefined) run.state = 'cancelled'
    // It was cancelled before the server had answered.
    else if (signal.aborted) await cancelJob(run)
    await this.#keep(run)
  }

  #cancelOf(run: Run): AbortController {
    let cancel = this.#cancels.get(run)
    if (cancel === undefined) this.#cancels.set(run, (cancel = new AbortController()))
    return cancel
  }

  async #forget(run: Run): Promise<void> {
    this.#drop(run)
    await this.#history.remove(run.id)
  }

  #drop(run: Run): void {
    this.#cancelOf(run).abort()
    this.#all.splice(this.#all.indexOf(run), 1)
    this.#hooks.removed(run)
  }

  /** Shows and keeps a run, unless it was removed meanwhile; what is more than the limits allow makes room. */
  async #keep(run: Run): Promise<void> {
    if (!this.#all.includes(run)) return
    this.#hooks.changed(run)
    for (const { id } of beyondLimits(this.#all)) await this.#history.remove(id)
    this.#keeps = await this.#history.save(run)
    // The browser may have less room than the limits allow.
    const oldest = this.#all.filter(each => each !== run && isOver(each)).reverse()
    for (const { id } of oldest.slice(0, MOST_EVICTED)) {
      if (this.#keeps) break
      await this.#history.remove(id)
      this.#keeps = await this.#history.save(run)
    }
    if (!this.#keeps) this.#hooks.changed(run)
  }
}

/** The server knows the job no longer. */
const GONE = [404, 410]
const GONE_MESSAGE = 'The server no longer has it: it was started anew, or too much time has passed.'

function summaryOf(run: Run): string {
  const title = titleOf(run.ask)
  if (run.state === 'succeeded')
    return `Finished: ${title}, ${run.slots.length === 1 ? 'one picture' : `${run.slots.length} pictures`}`
  return run.state === 'cancelled' ? `Cancelled: ${title}` : `Failed: ${title}. ${run.problem ?? ''}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
