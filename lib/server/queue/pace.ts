/** How much a new measurement counts. */
const NEW = 0.2

/** How long a picture takes on this worker: the time that work ran, in a batch or alone, by what it cost. */
export class Pace {
  readonly #seconds = new Map<string, number>()

  /** @param cost in pictures with the model's defaults */
  measured(model: string, cost: number, ms: number): void {
    const seconds = ms / 1000 / cost
    const before = this.#seconds.get(model)
    this.#seconds.set(model, before === undefined ? seconds : before + NEW * (seconds - before))
  }

  /** Seconds of a picture; null before the first one. */
  of(model: string): number | null {
    return this.#seconds.get(model) ?? null
  }
}
