/** Values that one side adds and the other side reads in its own time. */
export class Feed<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = []
  #closed = false
  #wake = () => {}

  /** @param overtakes which value that still waits this one makes stale */
  push(value: T, overtakes?: (waiting: T) => boolean): void {
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

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      if (this.#waiting.length > 0) yield this.#waiting.shift()!
      else if (this.#closed) return
      else
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
    }
  }
}
