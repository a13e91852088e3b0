/**
 * A binary heap: the first element is the one that comes before all others.
 * @template T
 */
export class Heap {
  /** @type {T[]} */
  #items = []
  #before

  /** @param {(a: T, b: T) => boolean} before */
  constructor(before) {
    this.#before = before
  }

  get size() {
    return this.#items.length
  }

  /** @returns {T | undefined} */
  get first() {
    return this.#items[0]
  }

  /** @param {T} item */
  push(item) {
    const items = this.#items
    let place = items.length
    items.push(item)
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = /** @type {T} */ (items[parent])
      if (!this.#before(item, above)) break
      items[place] = above
      place = parent
    }
    items[place] = item
  }

  /** @returns {T | undefined} */
  take() {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return first
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= items.length) break
      const [left, right] = [/** @type {T} */ (items[child]), items[child + 1]]
      if (right !== undefined && this.#before(right, left)) child++
      const lower = /** @type {T} */ (items[child])
      if (!this.#before(lower, last)) break
      items[place] = lower
      place = child
    }
    items[place] = last
    return first
  }
}
