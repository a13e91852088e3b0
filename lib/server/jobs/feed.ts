/** Values that one side adds and the other side reads in its own time. */
export class Feed<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = []
  #closed = false
  #wake = () => {}

  /** @param overtakes which value that still waits this one makes stale */
  push(value: T, overtakes?: (waiting: T) => boolean): void {
    // Who is paused after a value has not heard of the end yet, and must not be told more.
    if (this.#closed) return
    const stale = overtakes === undefined ? -1 : this.#waiting.findIndex(overtakes)
    if (stale >= 0) this.#waiting.splice(stale, 1)
    this.#waiting.push(value)
    this.#wake()
  }

  /** Ends the feed once everything in it has been read. */
  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** Ends the feed at once. */
  cut(): void {
    this.#waiting.length = 0
    this.close()
  }

  /** No generator: one that waits would hold on to the value that it gave last. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.#next() }
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    while (this.#waiting.length === 0) {
      if (this.#closed) return { done: true, value: undefined }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return { done: false, value: this.#waiting.shift()! }
  }
}
