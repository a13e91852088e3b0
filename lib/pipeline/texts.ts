import { setImmediate } from 'node:timers/promises'
import { WuerstchenError } from '../errors.js'
import type { ModelDirectory } from '../model/manifest.js'
import type { TensorHandle, TextInput } from '../native.js'
import { TextTokenizer, type Tokens } from '../model/tokenizer.js'

/** A text with more tokens than its encoder takes. */
export interface CutText {
  /** The whole text. */
  text: string
  /** The encoder that cut it. The two may have different tokenizers. */
  encoder: 'prior' | 'decoder'
  /** The end that was cut off, as the tokenizer sees it. */
  removed: string
}

export interface Tokenizers {
  prior: TextTokenizer
  decoder: TextTokenizer
}

/**
 * The tokenizers of a model. Their files are checked like those of programs.
 * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_MISMATCH, OUT_OF_MEMORY; the signal's reason
 */
export async function readTokenizers(
  model: ModelDirectory,
  verify: boolean,
  signal: AbortSignal | undefined
): Promise<Tokenizers> {
  const read = async (encoder: 'priorTextEncoder' | 'decoderTextEncoder') => {
    const facts = model.manifest.tokenizers[encoder]
    return facts && TextTokenizer.read(model, facts, verify, signal)
  }
  const [prior, decoder] = await Promise.all([read('priorTextEncoder'), read('decoderTextEncoder')])
  return { prior: expectTokenizer('prior', prior, model), decoder: expectTokenizer('decoder', decoder, model) }
}

function expectTokenizer(encoder: string, tokenizer: TextTokenizer | undefined, model: ModelDirectory): TextTokenizer {
  if (tokenizer !== undefined) return tokenizer
  throw new WuerstchenError('MODEL_MISMATCH', `Expected a model with a tokenizer for the ${encoder} but ${model.path} has none`, {
    subject: `${encoder}TextEncoder`
  })
}

/** How long texts are tokenized before others get a turn on the event loop. */
const SLICE_MS = 10

/** The texts of a call, tokenized little by little: a call can have 1,024 prompts, each of which takes a few milliseconds. */
export class TokenizedTexts {
  readonly #tokens = { prior: new Map<string, Tokens>(), decoder: new Map<string, Tokens>() }
  readonly #left: { encoder: 'prior' | 'decoder'; text: string }[]
  readonly #tokenizers: Tokenizers

  constructor(texts: Readonly<Record<'prior' | 'decoder', ReadonlySet<string>>>, tokenizers: Tokenizers) {
    this.#tokenizers = tokenizers
    this.#left = (['prior', 'decoder'] as const)
      .flatMap(encoder => [...texts[encoder]].map(text => ({ encoder, text })))
      .reverse()
  }

  /** Tokenizes for a while, without waiting. Returns whether all texts are tokenized. */
  advance(): boolean {
    const end = performance.now() + SLICE_MS
    for (let next = this.#left.pop(); next !== undefined; next = this.#left.pop()) {
      this.#tokens[next.encoder].set(next.text, this.#tokenizers[next.encoder].encode(next.text))
      if (performance.now() > end) break
    }
    return this.#left.length === 0
  }

  /** Tokenizes the texts that are left, and waits between slices. Throws the signal's reason. */
  async finish(signal: AbortSignal | undefined): Promise<void> {
    while (this.#left.length > 0) {
      await setImmediate()
      signal?.throwIfAborted()
      this.advance()
    }
  }

  tokensOf(encoder: 'prior' | 'decoder', text: string): Tokens {
    return this.#tokens[encoder].get(text) ?? this.#tokenizers[encoder].encode(text)
  }
}

/** The texts of one request for one encoder. Each text is in it once, even if several images share it. */
export class TextTable {
  readonly inputs: TextInput[] = []
  readonly cuts: CutText[] = []
  readonly #known = new Map<string, number>()
  readonly #texts: TokenizedTexts
  readonly #encoder: 'prior' | 'decoder'

  constructor(encoder: 'prior' | 'decoder', texts: TokenizedTexts) {
    this.#encoder = encoder
    this.#texts = texts
  }

  /** The index of a text, or of finished embeddings (1, text, channels). */
  add(text: string | TensorHandle): number {
    if (typeof text !== 'string') return this.inputs.push({ embeddings: text }) - 1
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const { ids, mask, removed } = this.#texts.tokensOf(this.#encoder, text)
    if (removed !== '') this.cuts.push({ text, encoder: this.#encoder, removed })
    const index = this.inputs.push({ ids, mask }) - 1
    this.#known.set(text, index)
    return index
  }
}
