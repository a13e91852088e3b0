import { WuerstchenError } from '../errors.js'
import type { ModelDirectory } from '../model/manifest.js'
import { verifyFile } from '../model/verify.js'
import type { TensorHandle, TextInput } from '../native.js'
import { TextTokenizer } from '../model/tokenizer.js'

/** A text with more tokens than its encoder takes. */
export interface CutText {
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

/** The tokenizers of a model. Their files are checked like those of programs. */
export async function readTokenizers(
  model: ModelDirectory,
  verify: boolean,
  signal: AbortSignal | undefined
): Promise<Tokenizers> {
  const read = async (encoder: 'priorTextEncoder' | 'decoderTextEncoder') => {
    const facts = model.manifest.tokenizers[encoder]
    return facts && TextTokenizer.read(await verifyFile(model.path, facts, verify, signal), facts.maxLength, facts.padTokenId)
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

/** The texts of one request for one encoder. Each text is in it once, even if several images share it. */
export class TextTable {
  readonly inputs: TextInput[] = []
  readonly cuts: CutText[] = []
  readonly #known = new Map<string, number>()
  readonly #tokenizer: TextTokenizer
  readonly #encoder: 'prior' | 'decoder'

  constructor(encoder: 'prior' | 'decoder', tokenizer: TextTokenizer) {
    this.#encoder = encoder
    this.#tokenizer = tokenizer
  }

  /** The index of a text, or of finished embeddings (1, text, channels). */
  add(text: string | TensorHandle): number {
    if (typeof text !== 'string') return this.inputs.push({ embeddings: text }) - 1
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const { ids, mask, removed } = this.#tokenizer.encode(text)
    if (removed !== '') this.cuts.push({ text, encoder: this.#encoder, removed })
    const index = this.inputs.push({ ids, mask }) - 1
    this.#known.set(text, index)
    return index
  }
}
