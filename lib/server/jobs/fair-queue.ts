/** What the queue knows of a job. */
export interface Waiting {
  /** Whose it is; owners take turns. */
  owner: string
  /** Higher goes first among its owner's own. */
  priority: number
  /** What running it takes of its owner's share, above 0. */
  cost: number
}

/** How many later jobs may go before one that waits. It bounds how long a low priority can wait for its owner's higher ones. */
export const MOST_OVERTAKEN = 32

/**
 * A queue that is fair between owners, by stride scheduling: each owner has a pass, the next job is of the owner with the
 * least, and taking it adds its cost. So an owner with one job waits for one job of each other owner, however many those
 * have. A priority moves a job ahead of its owner's others, `MOST_OVERTAKEN` times at most, and never of anybody else's.
 */
export class FairQueue<T extends Waiting> {
  /** In the order of arrival of the owners. */
  readonly #lanes = new Map<string, T[]>()
  /** How many later jobs have gone before one that waits. */
  readonly #overtaken = new WeakMap<T, number>()
  /**
   * How far each owner has got. An owner is forgotten only when all others have caught up: else leaving and coming back would
   * jump the queue.
   */
  readonly #passes = new Map<string, number>()
  #clock = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** How many of an owner's jobs wait. */
  sizeOf(owner: string): number {
    return this.#lanes.get(owner)?.length ?? 0
  }

  push(item: T): void {
    const lane = this.#lanes.get(item.owner) ?? []
    this.#lanes.set(item.owner, lane)
    let place = lane.length
    while (place > 0 && this.#letsPass(lane[place - 1]!, item)) place--
    lane.splice(place, 0, item)
    this.#passes.set(item.owner, Math.max(this.#clock, this.#passes.get(item.owner) ?? 0))
    this.#size++
  }

  /** What would be taken next. */
  peek(): T | undefined {
    return this.order().next().value ?? undefined
  }

  take(): T | undefined {
    const item = this.peek()
    if (item === undefined) return undefined
    this.remove(item)
    this.#clock = this.#passes.get(item.owner)!
    this.#passes.set(item.owner, this.#clock + item.cost)
    for (const [owner, pass] of this.#passes) if (pass <= this.#clock && !this.#lanes.has(owner)) this.#passes.delete(owner)
    return item
  }

  /** Takes an item out of its place; false where it does not wait. */
  remove(item: T): boolean {
    const lane = this.#lanes.get(item.owner)
    const index = lane?.indexOf(item) ?? -1
    if (lane === undefined || index < 0) return false
    lane.splice(index, 1)
    if (lane.length === 0) this.#lanes.delete(item.owner)
    this.#size--
    return true
  }

  /** Whether one that waits lets a later one pass, which is then counted. */
  #letsPass(waiting: T, later: T): boolean {
    const overtaken = this.#overtaken.get(waiting) ?? 0
    if (waiting.priority >= later.priority || overtaken >= MOST_OVERTAKEN) return false
    this.#overtaken.set(waiting, overtaken + 1)
    return true
  }

  /** All that waits, in the order in which it would be taken if nothing else came. */
  order(): Generator<T, void, undefined> {
    return strideOrder([...this.#lanes].map(([owner, items]) => ({ items, pass: this.#passes.get(owner)! })))
  }
}

/** An owner's jobs, in their order, and how far the owner has got. */
export interface Lane<T> {
  items: readonly T[]
  pass: number
}

/** Everything in the lanes, in the order in which stride scheduling takes it. */
export function* strideOrder<T extends Pick<Waiting, 'cost'>>(lanes: readonly Lane<T>[]): Generator<T, void, undefined> {
  const left = lanes.map(lane => ({ ...lane, at: 0 }))
  for (;;) {
    const open = left.filter(lane => lane.at < lane.items.length)
    if (open.length === 0) return
    const least = open.reduce((first, lane) => (lane.pass < first.pass ? lane : first))
    const item = least.items[least.at++]!
    yield item
    least.pass += item.cost
  }
}
