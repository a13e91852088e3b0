/**
 * Byte pair encoding, as far as it is needed to cut a long word: where does a word's beginning have tokens that no end of the
 * word can change?
 *
 * Byte pair encoding merges the pair of lowest rank first, and of equal pairs the leftmost. A list of tokens is what it makes of
 * a text if and only if it makes of each two neighbours just these two: the first merge across a border of the list would be
 * made between the two neighbours alone as well. So the encodings of all beginnings of a word are a tree: the last token of a
 * beginning stands behind the encoding of a shorter beginning. The encoding of the whole word is a path in that tree. No token is
 * longer than `longest`, so the path has a node among each `longest` beginnings that follow each other. Where all of these share
 * their first tokens, the whole word has these tokens too, whatever follows.
 */
export class Merges {
  readonly #ranks = new Map<string, number>()
  /** The lengths of tokens by their last symbol, the longest first. */
  readonly #lengths = new Map<string, number[]>()
  /** What merges make, and whether a text that is only that becomes one token; undefined if nobody has asked yet. */
  readonly #tokens = new Map<string, boolean | undefined>()
  readonly #pairs = new Map<string, boolean>()
  /** The most symbols of a token. A symbol stands for a byte. */
  readonly longest: number

  constructor(merges: readonly (readonly [string, string])[]) {
    const lengths = new Map<string, Set<number>>()
    let longest = 1
    for (const [rank, [left, right]] of merges.entries()) {
      const token = left + right
      // Of equal pairs the last one counts, as in the tokenizer.
      this.#ranks.set(`${left}\0${right}`, rank)
      longest = Math.max(longest, token.length)
      this.#tokens.set(token, undefined)
      const last = token.at(-1)!
      lengths.set(last, (lengths.get(last) ?? new Set()).add(token.length))
    }
    for (const [last, each] of lengths)
      this.#lengths.set(
        last,
        [...each].sort((a, b) => b - a)
      )
    this.longest = longest
  }

  /**
   * How many symbols of a word are enough to know its first `count` tokens; undefined if that is not known within `most` symbols.
   * The word's last symbol is one that has a mark of the word's end in merges, and only there.
   */
  settled(word: string, count: number, most: number): number | undefined {
    const end = Math.min(word.length - 1, most)
    /** Of each beginning: the length of its last token, the number of its tokens, and where its `count`-th token ends. */
    const last = new Uint16Array(end + 1)
    const depth = new Uint32Array(end + 1)
    const anchor = new Uint32Array(end + 1)
    let same = 0
    for (let at = 1; at <= end; at++) {
      const length = this.#lastToken(word, at, last)
      if (length === 0) return undefined
      last[at] = length
      depth[at] = depth[at - length]! + 1
      anchor[at] = depth[at] === count ? at : anchor[at - length]!
      same = anchor[at] === 0 ? 0 : anchor[at] === anchor[at - 1] ? same + 1 : 1
      if (same >= this.longest) return at + 1
    }
    return undefined
  }

  #lastToken(word: string, at: number, last: Uint16Array): number {
    const lengths = this.#lengths.get(word[at - 1]!) ?? []
    const found = lengths.find(length => length <= at && this.#ends(word, at, length, last))
    return found ?? (this.#ends(word, at, 1, last) ? 1 : 0)
  }

  /** Whether the encoding of the beginning up to `at` ends with a token of this length. */
  #ends(word: string, at: number, length: number, last: Uint16Array): boolean {
    const start = at - length
    const token = word.slice(start, at)
    if (length > 1 && !this.#isToken(token)) return false
    return start === 0 || this.#stay(word.slice(start - last[start]!, start), token)
  }

  #isToken(text: string): boolean {
    if (!this.#tokens.has(text)) return false
    const known = this.#tokens.get(text) ?? this.#encode(text).length === 1
    this.#tokens.set(text, known)
    return known
  }

  /** Whether two tokens beside each other stay these two. */
  #stay(left: string, right: string): boolean {
    const key = `${left}\0${right}`
    let stay = this.#pairs.get(key)
    if (stay === undefined) {
      const tokens = this.#encode(left + right)
      stay = tokens.length === 2 && tokens[0] === left
      // What texts bring may not fill the memory.
      if (this.#pairs.size >= 100_000) this.#pairs.clear()
      this.#pairs.set(key, stay)
    }
    return stay
  }

  #encode(text: string): string[] {
    const tokens = [...text]
    const rankAt = (index: number) =>
      index + 1 < tokens.length ? (this.#ranks.get(`${tokens[index]}\0${tokens[index + 1]}`) ?? Infinity) : Infinity
    const ranks = tokens.map((_, index) => rankAt(index))
    while (true) {
      let best = 0
      for (let index = 1; index < ranks.length; index++) if (ranks[index]! < ranks[best]!) best = index
      if (!(ranks[best]! < Infinity)) return tokens
      tokens.splice(best, 2, tokens[best]! + tokens[best + 1]!)
      ranks.splice(best, 2, rankAt(best))
      if (best > 0) ranks[best - 1] = rankAt(best - 1)
    }
  }
}

/** GPT-2's symbols of the 256 bytes: those of Latin-1 that show something stand for themselves, and the others follow them. */
const SYMBOLS = (() => {
  const shows = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
  let others = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(shows(byte) ? byte : others++))
})()

/** A text as byte pair encoding sees it: a symbol a byte. */
export function symbolsOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), byte => SYMBOLS[byte]).join('')
}
