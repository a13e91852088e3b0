import type { Model } from '../api/models.js'
import { pause } from '../api/wake.js'
import { holdOf, waitOf } from './hold.js'
import { submitJob } from './job.js'
import { mixPictures } from './mix.js'
import { toJob } from './request.js'
import type { Run } from './run.js'

export interface OutboxHooks {
  changed(): void
  /** Keeps the run as it is now, for a page that is loaded anew. */
  keep(): Promise<void>
}

/**
 * Sends runs, one after the other, in the order in which they were started. What the server cannot take for now (the network is
 * gone, the queue is full, the key is missing) waits here with all that comes after it.
 */
export class Outbox {
  #last: Promise<unknown> = Promise.resolve()
  readonly #modelOf: (name: string) => Model | undefined

  constructor(modelOf: (name: string) => Model | undefined) {
    this.#modelOf = modelOf
  }

  /** Resolves once the server has it, or the signal has aborted. */
  send(run: Run, signal: AbortSignal, hooks: OutboxHooks): Promise<void> {
    const sent = this.#last.then(() => this.#deliver(run, signal, hooks))
    this.#last = sent.catch(() => {})
    return sent
  }

  async #deliver(run: Run, signal: AbortSignal, { changed, keep }: OutboxHooks): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        if (run.ask.start?.mode === 'mix' && run.mixed === undefined) {
          run.mixed = await mixPictures(run.ask, run.ask.start, this.#modelOf(run.ask.model))
          // Mixed anew after the page was left, it would be another request.
          await keep()
          if (signal.aborted) return
        }
        await submitJob(await toJob(run), run)
        delete run.hold
        delete run.mixed
        return
      } catch (error) {
        const hold = holdOf(error)
        if (hold === undefined) throw error
        run.hold = hold
        changed()
        await pause(waitOf(error, failures), signal)
      }
    }
  }
}
