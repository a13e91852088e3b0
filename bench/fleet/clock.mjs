import { Heap } from './heap.mjs'

/** @typedef {{ time: number, order: number, act: () => void }} Event */

/** Time that jumps from event to event, in seconds. What is due at the same time happens in the order in which it was asked. */
export class Clock {
  now = 0
  #asked = 0
  /** @type {Heap<Event>} */
  #events = new Heap((a, b) => a.time < b.time || (a.time === b.time && a.order < b.order))

  /** @param {number} seconds from now @param {() => void} act */
  after(seconds, act) {
    this.#events.push({ time: this.now + seconds, order: this.#asked++, act })
  }

  /** @param {() => boolean} over is asked before each event @param {number} [until] no event after it happens */
  run(over, until = Infinity) {
    while (!over()) {
      const event = this.#events.first
      if (event === undefined || event.time > until) return
      this.#events.take()
      this.now = event.time
      event.act()
    }
  }
}
