import { AsyncResource } from 'node:async_hooks'

/**
 * The listeners of one call. Native code calls them, so what they throw would be lost there. Make one at the beginning of a call,
 * wrap its listeners with `of`, and do its work in `run`. Then:
 *
 * - An exception of a listener, and a rejection of an async one, aborts the signal of the work and rejects the call. The call
 *   rejects with exactly what was thrown, undefined too.
 * - After that, and after an abort of the caller's signal, no listener hears of anything.
 * - Listeners run in the async context (AsyncLocalStorage) in which the call was made.
 * - The call waits for async listeners that have not ended, because otherwise nobody would hear of their rejections.
 */
export class Listeners {
  readonly #own = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  #failure: { error: unknown } | undefined
  /** Aborts with the caller's signal, and when a listener fails. */
  readonly signal: AbortSignal

  constructor(outer: AbortSignal | undefined) {
    this.signal = outer === undefined ? this.#own.signal : AbortSignal.any([outer, this.#own.signal])
  }

  /** The listener to pass on in place of a caller's. It never throws. */
  of<Event extends unknown[]>(listener: (...event: Event) => unknown): (...event: Event) => void {
    return AsyncResource.bind((...event: Event) => {
      if (this.signal.aborted) return
      try {
        const result = listener(...event)
        if (result !== null && (typeof result === 'object' || typeof result === 'function')) this.#follow(result)
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  /**
   * Does the work of the call, with the signal that it must obey.
   * @param discard frees what the work gave if the call is rejected all the same
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, discard: (result: T) => unknown): Promise<T> {
    try {
      const result = await work(this.signal)
      try {
        await this.#settled()
      } catch (error) {
        await discard(result)
        throw error
      }
      return result
    } catch (error) {
      // An abort with undefined has a reason that nobody threw.
      throw this.#failure === undefined ? error : this.#failure.error
    }
  }

  /** Waits for async listeners, but not longer than the signal allows. */
  async #settled(): Promise<void> {
    if (this.#pending.size > 0) {
      const aborted = new Promise<void>(resolve => {
        this.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      while (this.#pending.size > 0 && !this.signal.aborted) await Promise.race([aborted, Promise.all(this.#pending)])
      this.signal.throwIfAborted()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #follow(result: unknown): void {
    const pending = Promise.resolve(result)
      .then(
        () => {},
        // A call that was aborted has its answer already.
        error => this.signal.aborted || this.#fail(error)
      )
      .then(() => {
        this.#pending.delete(pending)
      })
    this.#pending.add(pending)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#own.abort(error)
  }
}
