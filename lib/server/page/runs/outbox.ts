import type { Model } from '../api/models.js'
import { pause } from '../api/wake.js'
import { holdOf, waitOf } from './hold.js'
import { submitJob } from './job.js'
import { toJob } from './request.js'
import type { Run } from './run.js'

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
  send(run: Run, signal: AbortSignal, changed: () => void): Promise<void> {
    const sent = this.#last.then(() => this.#deliver(run, signal, changed))
    this.#last = sent.catch(() => {})
    return sent
  }

  async #deliver(run: Run, signal: AbortSignal, changed: () => void): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await submitJob(await toJob(run.ask, this.#modelOf(run.ask.model)), run)
        delete run.hold
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
