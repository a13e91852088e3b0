import { strideOrder } from '../jobs/fair-queue.js'
import type { QueueDatabase } from './queue-database.js'

/** What of a lane is looked at: whoever waits behind so many of its own is told that it is far back. */
const MOST_OF_LANE = 2000

/** Places are for people: they may be as old as this. */
const FRESH_MS = 250

/** The order in which what waits for a model will start, if nothing else comes. */
export interface Order {
  place(id: string): number | undefined
  /** What starts before a job takes altogether, as costs are counted. */
  costBefore(id: string): number
  /** What all of it takes. */
  readonly cost: number
}

/** Looks up the order of each model, at most once in a short time. */
export class Orders {
  readonly #database: QueueDatabase
  readonly #known = new Map<string, { at: number; order: Promise<Order> }>()

  constructor(database: QueueDatabase) {
    this.#database = database
  }

  async of(model: string): Promise<Order> {
    const known = this.#known.get(model)
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.order
    const order = this.#read(model)
    this.#known.set(model, { at: performance.now(), order })
    order.catch(() => this.#known.delete(model))
    return order
  }

  /** What is known is stale: a job has come. */
  changed(model: string): void {
    this.#known.delete(model)
  }

  async #read(model: string): Promise<Order> {
    const lanes = await this.#database.lanes(model, MOST_OF_LANE)
    const places = new Map<string, { place: number; before: number }>()
    let before = 0
    for (const { id, cost } of strideOrder(lanes)) {
      places.set(id, { place: places.size, before })
      before += cost
    }
    return { place: id => places.get(id)?.place, costBefore: id => places.get(id)?.before ?? 0, cost: before }
  }
}
