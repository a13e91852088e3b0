import type { JobView, StoreObserver } from './store.js'

/** How many of them are remembered. */
const MOST_GIVEN_UP = 100

/** Which jobs run, and which ended lately without a result: an engine may still be at work on those. */
export class Roll implements StoreObserver {
  readonly #running = new Map<string, string>()
  readonly #withoutResult: { id: string; model: string; at: number }[] = []

  started({ id, model }: JobView): void {
    this.#running.set(id, model)
  }

  ended({ id, model, state }: JobView): void {
    if (!this.#running.delete(id) || state === 'succeeded') return
    this.#withoutResult.push({ id, model, at: performance.now() })
    if (this.#withoutResult.length > MOST_GIVEN_UP) this.#withoutResult.shift()
  }

  /** The jobs of a model that run; null: of all models. */
  running(model: string | null): string[] {
    return [...this.#running].filter(([, each]) => model === null || each === model).map(([id]) => id)
  }

  /** The jobs of a model that have ended without a result since a time of `performance.now()`. */
  withoutResult(model: string | null, since: number): string[] {
    return this.#withoutResult.filter(each => each.at >= since && (model === null || each.model === model)).map(({ id }) => id)
  }

  /** The model of the jobs that run, where it is one. */
  get model(): string | null {
    const models = new Set(this.#running.values())
    return models.size === 1 ? [...models][0]! : null
  }
}
