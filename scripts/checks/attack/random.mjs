/** Random numbers by seed: a case has the same ones alone and among others, so that it can be made again from its number. */
export class Random {
  #state

  /** @param {number} seed @param {number} [stream] the number of the case */
  constructor(seed, stream = 0) {
    this.#state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 4; i++) this.next()
  }

  /** From 0 up to 1, which is not reached: mulberry32. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from 0 to `count` - 1. @param {number} count */
  int(count) {
    return Math.floor(this.next() * count)
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return /** @type {T} */ (list[this.int(list.length)])
  }

  /** @param {number} probability */
  chance(probability) {
    return this.next() < probability
  }

  /** One of the keys, as often as its weight says. @param {Readonly<Record<string, number>>} weights */
  weighted(weights) {
    const entries = Object.entries(weights)
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name
    return /** @type {[string, number]} */ (entries.at(-1))[0]
  }
}
