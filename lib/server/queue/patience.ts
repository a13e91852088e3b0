import { backOff } from './back-off.js'
import { outageOf } from './reach.js'

export interface QueueHooks {
  /** The queue cannot do its work. Told once until it can again. @param reason a word, without anything of the address */
  queueAway?(reason: string): void
  /** The queue works again. */
  queueBack?(): void
}

/**
 * How long an end waits for a queue that is away, and for one that is only slow. The first is less than what ends a process whose
 * engine hangs.
 */
const [SHORT_MS, LONG_MS] = [200, 5000]

const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [100, 5000]

/**
 * Asks again what an outage of the queue has left undone: what a worker has made is not lost with it. Whether somebody else has
 * the job by then is what the answer says.
 */
export class Patience {
  readonly #hooks: readonly QueueHooks[]
  readonly #end = new AbortController()
  #away = false
  #ending = false

  constructor(hooks: readonly QueueHooks[]) {
    this.#hooks = hooks
  }

  /** @throws what is no outage; also an outage, once nobody waits any more */
  async ask<T>(act: () => Promise<T>): Promise<T> {
    for (let tried = 0; ; tried++) {
      try {
        const answer = await this.#unlessEnded(act())
        this.back()
        return answer
      } catch (error) {
        const reason = outageOf(error)
        if (reason === undefined || this.#end.signal.aborted) throw error
        this.away(reason)
        await this.#unlessEnded(new Promise(resolve => setTimeout(resolve, backOff(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS))))
      }
    }
  }

  away(reason: string): void {
    if (this.#away || this.#end.signal.aborted) return
    this.#away = true
    for (const hook of this.#hooks) hook.queueAway?.(reason)
    if (this.#ending) this.end()
  }

  back(): void {
    if (!this.#away) return
    this.#away = false
    for (const hook of this.#hooks) hook.queueBack?.()
  }

  /** The process is to end: what is under way may arrive, if the queue is there. */
  endSoon(): void {
    setTimeout(() => {
      this.#ending = true
      if (this.#away) this.end()
    }, SHORT_MS).unref()
    setTimeout(() => this.end(), LONG_MS).unref()
  }

  /** Nobody waits any more: the process ends. */
  end(): void {
    this.#end.abort(new Error('The queue could not be reached before the process ended'))
  }

  async #unlessEnded<T>(asked: Promise<T>): Promise<T> {
    const { signal } = this.#end
    // Whoever is not waited for any more may fail.
    asked.catch(() => {})
    let stop = () => {}
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason as Error)
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
    })
    try {
      return await Promise.race([asked, ended])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}
