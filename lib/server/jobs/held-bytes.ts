import { refused } from './failure.js'

/** The bytes of bodies, inputs and replies that the server holds, with a bound, and one for each owner. */
export class HeldBytes {
  readonly #most: number
  readonly #mostPerOwner: number
  readonly #owners = new Map<string, number>()
  #bytes = 0

  constructor(most: number, mostPerOwner: number) {
    this.#most = most
    this.#mostPerOwner = mostPerOwner
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What an owner has of them. */
  bytesOf(owner: string): number {
    return this.#owners.get(owner) ?? 0
  }

  /** @throws WuerstchenError QUEUE_FULL where there is no room for so many more */
  expectRoom(owner: string, bytes: number): void {
    if (this.#bytes + bytes > this.#most) throw refused('maxHeldBytes')
    if (this.bytesOf(owner) + bytes > this.#mostPerOwner) throw refused('maxHeldBytesPerKey')
  }

  /** What a request of the owner holds until `until` settles: nothing yet. */
  open(owner: string, until: Promise<unknown>): Charge {
    return new Charge(this, owner, until)
  }

  /** Counts bytes that are there already, whether there is room for them or not, until `until` settles. */
  count(owner: string, bytes: number, until: Promise<unknown>): void {
    const release = () => this.add(owner, -bytes)
    this.add(owner, bytes)
    void until.then(release, release)
  }

  /** @internal */
  add(owner: string, bytes: number): void {
    const own = this.bytesOf(owner) + bytes
    this.#bytes += bytes
    if (own === 0) this.#owners.delete(owner)
    else this.#owners.set(owner, own)
  }
}

/** By how much a charge grows at least. */
const STEP = 16 * 1024

/** The body of one request, until it has become work, or its reply is over. */
export class Charge {
  readonly #held: HeldBytes
  readonly #owner: string
  #bytes = 0
  #isOpen = true

  constructor(held: HeldBytes, owner: string, until: Promise<unknown>) {
    this.#held = held
    this.#owner = owner
    const release = () => this.#release()
    void until.then(release, release)
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes on so many bytes altogether, where it has fewer. They are counted in steps: a body may come byte by byte.
   * @throws WuerstchenError QUEUE_FULL where there is no room for them
   */
  growTo(bytes: number): void {
    // What comes when the reply is over is not kept.
    if (!this.#isOpen || bytes <= this.#bytes) return
    const more = Math.max(bytes - this.#bytes, this.#bytes === 0 ? 0 : STEP)
    this.#held.expectRoom(this.#owner, more)
    this.#held.add(this.#owner, more)
    this.#bytes += more
  }

  /** The body has become work, whose inputs are held until `until` settles, and is held no longer itself. */
  becomeWork(bytes: number, until: Promise<unknown>): void {
    this.#held.count(this.#owner, bytes, until)
    this.#release()
  }

  #release(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#held.add(this.#owner, -this.#bytes)
    this.#bytes = 0
  }
}
