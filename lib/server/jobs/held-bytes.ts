import { refused } from './failure.js'

/** The bytes of bodies and inputs that the server holds, with a bound. */
export class HeldBytes {
  readonly #most: number
  #bytes = 0

  constructor(most: number) {
    this.#most = most
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes on the body of a request until it is let go.
   * @throws WuerstchenError QUEUE_FULL where there is no room for it
   */
  charge(bytes: number, until: Promise<unknown>): Charge {
    if (this.#bytes + bytes > this.#most) throw refused('maxHeldBytes')
    const charge = new Charge(change => {
      this.#bytes += change
    })
    charge.hold(bytes, until)
    return charge
  }
}

/**
 * What one request holds. Its job holds files and texts of the same body, so the largest hold counts, not their sum: a job takes
 * over from the reply without a gap and without being counted twice.
 */
export class Charge {
  readonly #count: (change: number) => void
  readonly #holds = new Set<{ bytes: number }>()
  #counted = 0

  constructor(count: (change: number) => void) {
    this.#count = count
  }

  hold(bytes: number, until: Promise<unknown>): void {
    const hold = { bytes }
    const release = () => {
      this.#holds.delete(hold)
      this.#recount()
    }
    this.#holds.add(hold)
    this.#recount()
    void until.then(release, release)
  }

  #recount(): void {
    const bytes = Math.max(0, ...[...this.#holds].map(hold => hold.bytes))
    this.#count(bytes - this.#counted)
    this.#counted = bytes
  }
}
