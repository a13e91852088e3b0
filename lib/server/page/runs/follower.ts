import { readEvents } from '../api/event-stream.js'
import { send, sendForJson } from '../api/send.js'
import { pause, waitAfter } from '../api/wake.js'
import { holdOf, waitOf } from './hold.js'
import { takeEvent, takeResult, takeStatus, type JobReply } from './job.js'
import { isOver, type Run } from './run.js'

/** A browser has six connections to a server for all tabs together, and some must be left to ask and to cancel with. */
const MOST_STREAMS = 2
const POLL_MS = 2000
const LONGEST_POLL_MS = 30_000
/** The most jobs in one page of the list. */
const PAGE = 100

/**
 * Follows jobs until they are over and their pictures are here. The first ones are followed event by event, the others through
 * the list of jobs. What cannot be asked is asked again for as long as the page is open: the server keeps results for a while.
 */
export class Follower {
  readonly #streams = new Set<Run>()
  /** Those without a stream, in the order in which they came, and how each goes on. */
  readonly #waiting = new Map<Run, { go: () => void; changed: () => void }>()
  #polling = false

  constructor() {
    document.addEventListener('visibilitychange', () => this.#seat())
  }

  async follow(run: Run, changed: () => void): Promise<void> {
    for (let failures = 0; !isOver(run); ) {
      try {
        if (run.ready !== true) await this.#watch(run, changed)
        if (run.ready === true) await takeResult(run)
        delete run.hold
        failures = 0
      } catch (error) {
        const hold = holdOf(error)
        if (hold === undefined) throw error
        run.hold = hold
        changed()
        await pause(waitOf(error, failures++))
      }
    }
  }

  /** Until something is to be done for the run, or its stream ends. */
  async #watch(run: Run, changed: () => void): Promise<void> {
    if (!(await this.#hasSeat(run, changed))) return
    const hidden = new AbortController()
    const hide = () => {
      if (document.visibilityState === 'hidden') hidden.abort()
    }
    document.addEventListener('visibilitychange', hide)
    try {
      const { body } = await send(`v1/jobs/${run.job!}/events`, { signal: hidden.signal })
      for await (const event of readEvents(body!)) {
        delete run.hold
        takeEvent(run, event)
        changed()
      }
      // Where a stream ends before its time, the next one does not come at once.
      if (!isOver(run) && run.ready !== true) await pause(waitAfter(0))
    } catch (error) {
      if (!hidden.signal.aborted) throw error
    } finally {
      document.removeEventListener('visibilitychange', hide)
      this.#streams.delete(run)
      this.#seat()
    }
  }

  /** Waits for a stream; false: it has turned out meanwhile that the run needs none. */
  async #hasSeat(run: Run, changed: () => void): Promise<boolean> {
    if (this.#isFree()) this.#streams.add(run)
    else
      await new Promise<void>(go => {
        this.#waiting.set(run, { go, changed })
        void this.#poll()
      })
    return this.#streams.has(run)
  }

  /** A tab that nobody sees needs no previews, and leaves the connections to those that are seen. */
  #isFree(): boolean {
    return this.#streams.size < MOST_STREAMS && document.visibilityState === 'visible'
  }

  #seat(): void {
    for (const run of this.#waiting.keys()) if (this.#isFree()) this.#release(run, true)
  }

  #release(run: Run, withStream: boolean): void {
    const waiting = this.#waiting.get(run)
    this.#waiting.delete(run)
    if (withStream) this.#streams.add(run)
    waiting?.go()
  }

  /** Asks for all that wait at once. */
  async #poll(): Promise<void> {
    if (this.#polling) return
    this.#polling = true
    for (let failures = 0; this.#waiting.size > 0; ) {
      await pause(failures === 0 ? POLL_MS : waitAfter(failures))
      try {
        if (this.#waiting.size > 0) await this.#ask()
        failures = 0
      } catch (error) {
        failures++
        for (const [run, { changed }] of this.#waiting) {
          run.hold = holdOf(error) ?? 'network'
          changed()
        }
      }
    }
    this.#polling = false
  }

  async #ask(): Promise<void> {
    const signal = AbortSignal.timeout(LONGEST_POLL_MS)
    const { data } = await sendForJson<{ data: JobReply[] }>(`v1/jobs?limit=${PAGE}`, { signal })
    for (const [run, { changed }] of [...this.#waiting]) {
      const reply = data.find(({ id }) => id === run.job)
      // What is not on the first page asks for itself: it is old, or the server knows it no longer.
      if (reply === undefined) this.#release(run, true)
      else {
        takeStatus(run, reply)
        delete run.hold
        changed()
        if (isOver(run) || run.ready === true) this.#release(run, false)
      }
    }
  }
}
