import { readFile } from 'node:fs/promises'
import { Tokenizer } from '@huggingface/tokenizers'
import { WuerstchenError } from '../errors.js'

/** Token ids of one text, padded to the encoder's length, and the part of the text that did not fit. */
export interface Tokens {
  /** `maxLength` ids: start, text, end, padding. */
  ids: BigInt64Array
  /** 1 for start, text and end, 0 for padding. */
  mask: BigInt64Array
  /** The end of the text that was cut off, as the tokenizer sees it; empty if the whole text fitted. */
  removed: string
}

/**
 * CLIP's tokenizer. It gives the same tokens as transformers' `CLIPTokenizer` with `padding="max_length", truncation=True,
 * max_length=maxLength`.
 */
export class TextTokenizer {
  readonly #tokenizer: Tokenizer
  readonly #maxLength: number
  readonly #padTokenId: number

  constructor(json: object, maxLength: number, padTokenId: number) {
    this.#tokenizer = new Tokenizer(withReferenceSpaces(json), {})
    this.#maxLength = maxLength
    this.#padTokenId = padTokenId
  }

  /** @throws WuerstchenError MODEL_INVALID */
  static async read(file: string, maxLength: number, padTokenId: number): Promise<TextTokenizer> {
    try {
      return new TextTokenizer(JSON.parse(await readFile(file, 'utf8')) as object, maxLength, padTokenId)
    } catch (error) {
      throw new WuerstchenError(
        'MODEL_INVALID',
        `Expected a tokenizer at ${file} but it cannot be read: ${(error as Error).message}`,
        { subject: file, cause: error }
      )
    }
  }

  encode(text: string): Tokens {
    const [start, rest] = splitWords(text, this.#maxLength)
    const all: number[] = this.#tokenizer.encode(withReferenceCase(start)).ids
    // Truncation keeps the end token, as in the reference. It marks where attention stops.
    const kept = all.length <= this.#maxLength ? all : [...all.slice(0, this.#maxLength - 1), all.at(-1)!]
    const ids = new BigInt64Array(this.#maxLength).fill(BigInt(this.#padTokenId))
    const mask = new BigInt64Array(this.#maxLength)
    kept.forEach((id, index) => {
      ids[index] = BigInt(id)
      mask[index] = 1n
    })
    return { ids, mask, removed: `${this.#decode(all.slice(kept.length - 1, -1))} ${rest}`.trim() }
  }

  #decode(ids: number[]): string {
    if (ids.length === 0) return ''
    return this.#tokenizer
      .decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false })
      .replaceAll('</w>', ' ')
      .trim()
  }
}

/**
 * The reference lower-cases letter by letter. JavaScript lower-cases by word, so a final Σ becomes ς. The library would also take
 * a special token in upper case for the token itself after lower-casing. A space behind it prevents that, and gives no token.
 */
function withReferenceCase(text: string): string {
  return text.replaceAll('Σ', 'σ').replace(/<\|[a-z]+\|>/gi, name => (name === name.toLowerCase() ? name : `${name} `))
}

/** A space in the reference's regular expressions: Unicode's White_Space. JavaScript's `\s` includes U+FEFF and lacks U+0085. */
const SPACES = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

/** GPT-2's words. The byte-level step splits by them once more. */
const BYTE_LEVEL_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** A tokenizer file, with its patterns rewritten so that they mean in JavaScript what they mean in the reference. */
function withReferenceSpaces(json: object): object {
  const { normalizer, pre_tokenizer: words, ...rest } = json as { normalizer?: unknown; pre_tokenizer?: unknown }
  return { ...rest, normalizer: translate(normalizer ?? null), pre_tokenizer: translate(words ?? null) }
}

function translate(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(translate)
  if (value === null || typeof value !== 'object') return value
  const { type, use_regex: splits } = value as { type?: unknown; use_regex?: unknown }
  if (type === 'ByteLevel' && splits === true) {
    // The library's own pattern for this step is fixed, so the step is done in two parts.
    const split = { type: 'Split', pattern: { Regex: inReferenceSpaces(BYTE_LEVEL_WORDS) }, behavior: 'Isolated', invert: false }
    return { type: 'Sequence', pretokenizers: [split, { ...value, use_regex: false }] }
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === 'Regex' ? inReferenceSpaces(String(item)) : translate(item)])
  )
}

function inReferenceSpaces(pattern: string): string {
  return pattern.replace(/\[[^\]]*\]|\\s|\\S/g, part =>
    part === '\\s' ? `[${SPACES}]` : part === '\\S' ? `[^${SPACES}]` : part.replaceAll('\\s', SPACES)
  )
}

/**
 * The first `count` words and the rest. Every word gives at least one token, and no token spans a space. Therefore the rest of a
 * very long text cannot change what is kept, and is not tokenized.
 */
function splitWords(text: string, count: number): [string, string] {
  const words = new RegExp(`[^${SPACES}]+`, 'g')
  for (let found = 0; words.exec(text) !== null; ) {
    if (++found > count) return [text.slice(0, words.lastIndex), text.slice(words.lastIndex).trim()]
  }
  return [text, '']
}
