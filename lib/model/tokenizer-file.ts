import { Tokenizer } from '@huggingface/tokenizers'
import { parseJson, type JsonBounds } from '../files/json.js'
import { inReferenceCharacters } from './characters.js'
import { LARGEST_TOKEN_ID } from './manifest.js'
import { Merges } from './merges.js'

/** The most bytes of a tokenizer. CLIP's has 3.6 MB. */
export const LARGEST_TOKENIZER = 64 * 1024 * 1024

/** CLIP's has 200,000 values: 49,408 tokens, and as many merges of two. */
const BOUNDS: JsonBounds = { depth: 32, values: 4_000_000, items: 2_000_000 }

/** Of a token in bytes. */
const LONGEST_TOKEN = 1024

/** A token that stands for itself in a text, such as <|endoftext|>. */
interface AddedToken {
  content: string
  id: number
  /** It is looked for in the text after normalization. */
  normalized: boolean
}

export interface TokenizerFile {
  tokenizer: Tokenizer
  merges: Merges
  added: AddedToken[]
  /** The id of what the vocabulary does not have. */
  unknown: number
  /** Above every id. */
  vocabulary: number
}

/**
 * Reads a tokenizer of the kind that CLIP has.
 * @throws Error for anything else
 */
export function parseTokenizer(bytes: Buffer): TokenizerFile {
  const json = parseJson(bytes.toString('utf8'), BOUNDS)
  const { model, added_tokens: added } = expectObject('the file', json)
  const { type, vocab, merges, unk_token: unknown, end_of_word_suffix: suffix } = expectObject('model', model)
  if (type !== 'BPE') throw new Error('its model is not BPE')
  if (suffix !== '</w>') throw new Error('its words do not end with </w>')
  const ids = Object.values(expectObject('model.vocab', vocab))
  for (const id of ids) expectId(id)
  const addedTokens = expectList('added_tokens', added).map(expectAdded)
  const pairs = expectList('model.merges', merges).map(expectMerge)
  const tokenizer = new Tokenizer(withReferenceCharacters(json as object), {})
  const unknownId = typeof unknown === 'string' ? tokenizer.token_to_id(unknown) : undefined
  if (unknownId === undefined) throw new Error('it has no token for what is unknown')
  return {
    tokenizer,
    unknown: unknownId,
    merges: new Merges(pairs),
    added: addedTokens,
    vocabulary: [...(ids as number[]), ...addedTokens.map(({ id }) => id)].reduce((most, id) => Math.max(most, id + 1), 0)
  }
}

function expectObject(name: string, value: unknown): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error(`${name} is no object`)
  return value as Record<string, unknown>
}

function expectList(name: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} is no list`)
  return value
}

function expectId(id: unknown): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= LARGEST_TOKEN_ID) return id as number
  throw new Error('an id of a token is no integer, or too large')
}

function expectAdded(value: unknown): AddedToken {
  const { content, id, normalized = false } = expectObject('an added token', value)
  if (typeof content !== 'string' || content === '' || content.length > LONGEST_TOKEN)
    throw new Error('an added token has no text')
  return { content, id: expectId(id), normalized: normalized === true }
}

function expectMerge(value: unknown): [string, string] {
  const [left, right, ...others] = typeof value === 'string' ? value.split(' ') : expectList('a merge', value)
  const isPart = (part: unknown): part is string => typeof part === 'string' && part !== '' && part.length <= LONGEST_TOKEN / 2
  if (isPart(left) && isPart(right) && others.length === 0) return [left, right]
  throw new Error('a merge is not of two tokens')
}

/** GPT-2's words. The byte-level step splits by them once more. */
const BYTE_LEVEL_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** A tokenizer file, with its patterns rewritten so that they mean in JavaScript what they mean in the reference. */
function withReferenceCharacters(json: object): object {
  const { normalizer, pre_tokenizer: words, ...rest } = json as { normalizer?: unknown; pre_tokenizer?: unknown }
  return { ...rest, normalizer: translate(normalizer ?? null), pre_tokenizer: translate(words ?? null) }
}

/** It calls itself for what is within, which has a bound (`BOUNDS.depth`). */
function translate(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(translate)
  if (value === null || typeof value !== 'object') return value
  const { type, use_regex: splits } = value as { type?: unknown; use_regex?: unknown }
  if (type === 'ByteLevel' && splits === true) {
    // The library's own pattern for this step is fixed, so the step is done in two parts.
    const split = {
      type: 'Split',
      pattern: { Regex: inReferenceCharacters(BYTE_LEVEL_WORDS) },
      behavior: 'Isolated',
      invert: false
    }
    return { type: 'Sequence', pretokenizers: [split, { ...value, use_regex: false }] }
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === 'Regex' ? inReferenceCharacters(String(item)) : translate(item)])
  )
}
