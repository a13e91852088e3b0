/** Sizes of the blocks for what comes without a length. Each is as long as all before it. */
const [SMALLEST, LARGEST] = [4096, 1024 * 1024]

/**
 * Collects bytes that come in pieces. They are copied: a piece of one byte is an object of a hundred, and may keep the whole
 * block that was read from the network, so a list of pieces can take a hundred times what was sent.
 */
export class ByteCollector {
  readonly #full: Buffer[] = []
  #block: Buffer
  #filled = 0

  /** @param expected how many there will be, where that is known */
  constructor(expected = 0) {
    this.#block = Buffer.allocUnsafeSlow(expected)
  }

  get length(): number {
    return this.#full.reduce((sum, block) => sum + block.length, this.#filled)
  }

  add(piece: Uint8Array): void {
    if (piece.length <= this.#block.length - this.#filled) {
      this.#block.set(piece, this.#filled)
      this.#filled += piece.length
      return
    }
    let rest = piece
    while (rest.length > 0) {
      if (this.#filled === this.#block.length) this.#next()
      const fits = rest.subarray(0, this.#block.length - this.#filled)
      this.#block.set(fits, this.#filled)
      this.#filled += fits.length
      rest = rest.subarray(fits.length)
    }
  }

  /** All bytes, once. */
  take(): Buffer {
    const last = firstOf(this.#block, this.#filled)
    return this.#full.length === 0 ? last : Buffer.concat([...this.#full, last])
  }

  #next(): void {
    if (this.#filled > 0) this.#full.push(this.#block)
    this.#block = Buffer.allocUnsafeSlow(Math.min(LARGEST, Math.max(SMALLEST, this.length)))
    this.#filled = 0
  }
}

/** The first bytes, without the memory of the others where that is much: a part of a buffer keeps all of it. */
export function firstOf(bytes: Buffer, length: number): Buffer {
  const first = bytes.subarray(0, length)
  if (bytes.length - length <= length / 8) return first
  const own = Buffer.allocUnsafeSlow(length)
  own.set(first)
  return own
}
