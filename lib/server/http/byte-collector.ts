/**
 * Collects bytes that come in pieces. They are copied: a piece of one byte is an object of a hundred, and may keep the whole block
 * that was read from the network, so a list of pieces can take a hundred times what was sent.
 */
export class ByteCollector {
  #bytes: Buffer
  #length = 0

  /** @param expected how many there will be, where that is known */
  constructor(expected = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(expected)
  }

  get length(): number {
    return this.#length
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length, 4096))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** All bytes so far. */
  take(): Buffer {
    return firstOf(this.#bytes, this.#length)
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
