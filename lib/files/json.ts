/** What a JSON text may hold. */
export interface JsonBounds {
  /** The most arrays and objects within each other. */
  depth: number
  /** The most values in the text, with those of arrays and objects. */
  values: number
  /** The most values of one array or object. */
  items: number
}

/** Enough for a manifest of every stage in every dtype, on every device; a published one has below 10,000 values. */
export const MANIFEST_BOUNDS: JsonBounds = { depth: 32, values: 200_000, items: 4096 }

/**
 * `JSON.parse` for texts of others. The bounds are checked before anything is made of the text: much that walks through a value
 * calls itself for what is within, and a text of a few kilobytes can be nested deeper than the stack is.
 * @throws SyntaxError for what is no JSON or outside the bounds
 */
export function parseJson(text: string, bounds: JsonBounds): unknown {
  new JsonCheck(bounds).push(Buffer.from(text))
  return JSON.parse(text) as unknown
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/**
 * Checks the bounds of a text that comes piece by piece, so that one outside of them is refused before all of it is there. A text
 * that is no JSON may be counted wrongly: `JSON.parse` refuses it.
 */
export class JsonCheck {
  /** Where strings are that are longer than wanted, keys too: their first byte and the one behind their last. */
  readonly long: { start: number; end: number }[] = []
  readonly #bounds: JsonBounds
  readonly #longest: number
  /** How many values each open array or object has. */
  readonly #items: number[] = []
  #values = 1
  #strings = 0
  /** Whether the last piece ended in a string, and there behind a backslash. */
  #inString = false
  #escaped = false
  /** Where the piece begins in the text, and where the last string did. */
  #offset = 0
  #stringStart = 0

  /** @param longest bytes of a string that is not noted as long */
  constructor(bounds: JsonBounds, longest = Infinity) {
    this.#bounds = bounds
    this.#longest = longest
  }

  /**
   * @param piece of the text in UTF-8
   * @throws SyntaxError
   */
  push(piece: Uint8Array): void {
    let at = this.#inString ? this.#endOfString(piece, 0) : 0
    while (at < piece.length) {
      switch (piece[at++]!) {
        case QUOTE:
          this.#countString()
          this.#stringStart = this.#offset + at
          at = this.#endOfString(piece, at)
          break
        case 0x5b: // [
        case 0x7b: // {
          this.#open()
          break
        case 0x5d: // ]
        case 0x7d: // }
          this.#items.pop()
          break
        case 0x2c: // ,
          this.#countItem()
          break
      }
    }
    this.#offset += piece.length
  }

  #open(): void {
    if (this.#items.push(1) > this.#bounds.depth) throw new SyntaxError(`it is nested deeper than ${this.#bounds.depth}`)
    this.#countValue()
  }

  #countItem(): void {
    if (++this.#items[this.#items.length - 1]! > this.#bounds.items)
      throw new SyntaxError(`a part of it has more than ${this.#bounds.items} values`)
    this.#countValue()
  }

  #countValue(): void {
    if (++this.#values > this.#bounds.values) throw new SyntaxError(`it has more than ${this.#bounds.values} values`)
  }

  /** A value is one string at most, and has one before it at most. What has more is no JSON, however long it goes on. */
  #countString(): void {
    if (++this.#strings > 2 * this.#bounds.values) throw new SyntaxError(`it has more than ${this.#bounds.values} values`)
  }

  /** Where a string ends that has begun before `start`; the end of the piece if that is not in it. */
  #endOfString(piece: Uint8Array, start: number): number {
    const from = this.#escaped ? start + 1 : start
    this.#escaped = false
    for (let end = piece.indexOf(QUOTE, from); end >= 0; end = piece.indexOf(QUOTE, end + 1)) {
      if (slashesBefore(piece, end, from) % 2 === 0) {
        this.#inString = false
        const [first, behind] = [this.#stringStart, this.#offset + end]
        if (behind - first > this.#longest) this.long.push({ start: first, end: behind })
        return end + 1
      }
    }
    this.#inString = true
    this.#escaped = slashesBefore(piece, piece.length, from) % 2 === 1
    return piece.length
  }
}

function slashesBefore(piece: Uint8Array, end: number, from: number): number {
  let at = end
  while (at > from && piece[at - 1] === BACKSLASH) at--
  return end - at
}
