import { WuerstchenError } from '../errors.js'
import { inReferenceCharacters } from './characters.js'
import type { ModelDirectory, TokenizerFacts } from './manifest.js'
import { sortLongRuns } from './marks.js'
import { symbolsOf } from './merges.js'
import { LARGEST_TOKENIZER, parseTokenizer, type TokenizerFile } from './tokenizer-file.js'
import { readVerified } from './verify.js'

/** Token ids of one text, padded to the encoder's length, and the part of the text that did not fit. */
export interface Tokens {
  /** `maxLength` ids: start, text, end, padding. */
  ids: BigInt64Array
  /** 1 for start, text and end, 0 for padding. */
  mask: BigInt64Array
  /** The end of the text that was cut off, as the tokenizer sees it; empty if the whole text fitted. */
  removed: string
}

/** Parts of words that get tokens by themselves. Words of the tokenizer are such parts, or a sign and letters as in 's. */
const PARTS = new RegExp(inReferenceCharacters('\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+'), 'gu')

/** A part of more bytes is cut where its end does not matter any more. */
const LONG_PART = 512
/** In letters, and in bytes: a part whose end can matter for longer than this is not cut. */
const MOST_SETTLING = 16_384
/** Letters that a sign can have in its own word, as in 're and <|. */
const MOST_SHIFT = 2

/**
 * CLIP's tokenizer. It gives the same tokens as transformers' `CLIPTokenizer` with `padding="max_length", truncation=True,
 * max_length=maxLength`. Of a long text, only what can matter for these tokens is tokenized.
 */
export class TextTokenizer {
  readonly #file: TokenizerFile
  readonly #maxLength: number
  readonly #padTokenId: number
  readonly #start: number
  readonly #end: number
  /** Added tokens, before and after normalization. */
  readonly #added: { plain: RegExp | undefined; normalized: RegExp | undefined }

  /** @throws Error for bytes that are no tokenizer, or one that does not fit */
  constructor(bytes: Buffer, maxLength: number, padTokenId: number) {
    this.#file = parseTokenizer(bytes)
    this.#maxLength = maxLength
    this.#padTokenId = padTokenId
    const { tokenizer, added, vocabulary } = this.#file
    if (padTokenId >= vocabulary) throw new Error(`it has ${vocabulary} tokens, and padTokenId is ${padTokenId}`)
    const [start, end, ...others]: unknown[] = tokenizer.encode('').ids
    if (typeof start !== 'number' || typeof end !== 'number' || others.length > 0)
      throw new Error('its texts have no start and end')
    this.#start = start
    this.#end = end
    this.#added = {
      plain: patternOf(added.filter(({ normalized }) => !normalized).map(({ content }) => content)),
      normalized: patternOf(added.filter(({ normalized }) => normalized).map(({ content }) => this.#normalize(content)))
    }
    // What only some texts reach would fail for these texts alone.
    this.encode("a 1's !")
  }

  /**
   * Reads a tokenizer of a model. The bytes that are hashed are the bytes that are used.
   * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, OUT_OF_MEMORY; the signal's reason
   */
  static async read(
    { path }: Pick<ModelDirectory, 'path'>,
    facts: TokenizerFacts,
    verify: boolean,
    signal?: AbortSignal
  ): Promise<TextTokenizer> {
    const { file, bytes } = await readVerified({ directory: path, facts, check: verify, signal }, LARGEST_TOKENIZER)
    try {
      return new TextTokenizer(bytes, facts.maxLength, facts.padTokenId)
    } catch (error) {
      throw new WuerstchenError(
        'MODEL_INVALID',
        `Expected a tokenizer at ${file} but it cannot be used: ${(error as Error).message}`,
        { subject: file, cause: error }
      )
    }
  }

  /** What its encoder takes: the number of tokens, and the largest token id. */
  get extent(): { length: number; largest: number } {
    return { length: this.#maxLength, largest: this.#file.vocabulary - 1 }
  }

  encode(text: string): Tokens {
    const { tokens, rest } = this.#tokenize(text)
    const all: number[] = [this.#start, ...tokens, this.#end]
    // Truncation keeps the end token, as in the reference. It marks where attention stops.
    const kept = all.length <= this.#maxLength ? all : [...all.slice(0, this.#maxLength - 1), all.at(-1)!]
    const ids = new BigInt64Array(this.#maxLength).fill(BigInt(this.#padTokenId))
    const mask = new BigInt64Array(this.#maxLength)
    kept.forEach((id, index) => {
      ids[index] = BigInt(id)
      mask[index] = 1n
    })
    return { ids, mask, removed: `${this.#decode(all.slice(kept.length - 1, -1))}${rest}`.trim() }
  }

  /** At least the first `maxLength` tokens of a text, and the rest of it. */
  #tokenize(text: string): { tokens: number[]; rest: string } {
    const tokens: number[] = []
    let rest = ''
    for (const part of splitBy(this.#added.plain, sortLongRuns(text))) {
      if (rest !== '' || tokens.length >= this.#maxLength) rest += part.text
      else if (part.added) tokens.push(this.#idOf(part.text))
      else rest = this.#addNormalized(tokens, this.#normalize(inReferenceCase(part.text)))
    }
    return { tokens, rest }
  }

  /** Adds the tokens of a normalized text; returns what is left of it when there are enough. */
  #addNormalized(tokens: number[], text: string): string {
    const { tokenizer } = this.#file
    let rest = ''
    for (const part of splitBy(this.#added.normalized, text)) {
      if (rest !== '' || tokens.length >= this.#maxLength) rest += part.text
      else if (part.added) tokens.push(this.#idOf(part.text))
      else {
        const { end, within } = this.#needed(part.text, this.#maxLength - tokens.length)
        const words = tokenizer.pre_tokenizer?.pre_tokenize(part.text.slice(0, end)) ?? []
        for (const token of tokenizer.model?.encode(words) ?? []) tokens.push(this.#idOf(token))
        if (end < part.text.length) rest = `${within ? '' : ' '}${part.text.slice(end)}`
      }
    }
    return rest
  }

  /**
   * How much of a normalized text is enough to know its first `wanted` tokens, and whether that ends within a part of a word. A
   * word is at most two parts, so each part counts half a token, and a long one as many as its bytes must give.
   */
  #needed(text: string, wanted: number): { end: number; within: boolean } {
    const { longest } = this.#file.merges
    const parts = new RegExp(PARTS)
    let found = 0
    // A cut can change the word before it, which has up to three parts.
    let spare = 4
    for (let match = parts.exec(text); match !== null; match = parts.exec(text)) {
      const [part] = match
      const bytes = Buffer.byteLength(part)
      const enough = bytes > LONG_PART ? this.#settled(part, wanted, match.index) : undefined
      if (enough !== undefined) return { end: match.index + enough, within: true }
      if (found >= wanted && --spare === 0) return { end: parts.lastIndex, within: false }
      found += Math.max(0.5, Math.floor((bytes - MOST_SHIFT) / longest))
    }
    return { end: text.length, within: false }
  }

  /** How much of a long part is enough to know its first `wanted` tokens; undefined if that may be all of it. */
  #settled(part: string, wanted: number, index: number): number | undefined {
    const start = beginning(part, MOST_SETTLING)
    let bytes = 0
    // A sign before the part can be a word with its first letters ('re), and then the part's own word begins behind them.
    for (let shift = 0; shift <= (index === 0 ? 0 : MOST_SHIFT); shift++) {
      const settled = this.#file.merges.settled(symbolsOf(start.slice(shift)), wanted, MOST_SETTLING)
      if (settled === undefined) return undefined
      bytes = Math.max(bytes, Buffer.byteLength(start.slice(0, shift)) + settled)
    }
    return lengthOfBytes(start, bytes)
  }

  #normalize(text: string): string {
    return this.#file.tokenizer.normalizer?.normalize(text) ?? text
  }

  #idOf(token: string): number {
    return this.#file.tokenizer.token_to_id(token) ?? this.#file.unknown
  }

  #decode(ids: number[]): string {
    if (ids.length === 0) return ''
    return this.#file.tokenizer
      .decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false })
      .replaceAll('</w>', ' ')
      .trim()
  }
}

/** The reference lower-cases letter by letter. JavaScript lower-cases by word, so a final Σ becomes ς. */
function inReferenceCase(text: string): string {
  return text.replaceAll('Σ', 'σ')
}

function patternOf(contents: readonly string[]): RegExp | undefined {
  const sorted = [...contents].sort((a, b) => b.length - a.length)
  const escaped = sorted.map(content => content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return escaped.length === 0 ? undefined : new RegExp(`(${escaped.join('|')})`)
}

/** The parts of a text that a pattern matches, and those between them, in order. */
function splitBy(pattern: RegExp | undefined, text: string): { text: string; added: boolean }[] {
  const parts = pattern === undefined ? [text] : text.split(pattern)
  return parts.map((part, index) => ({ text: part, added: index % 2 === 1 })).filter(part => part.text !== '')
}

/** The beginning of a text, without half of a letter at its end. */
function beginning(text: string, most: number): string {
  return text.slice(0, most).replace(/[\ud800-\udbff]$/, '')
}

/** How much of a text has at least so many bytes in UTF-8. */
function lengthOfBytes(text: string, bytes: number): number {
  let [length, count] = [0, 0]
  for (const letter of text) {
    if (count >= bytes) break
    length += letter.length
    count += Buffer.byteLength(letter)
  }
  return length
}
