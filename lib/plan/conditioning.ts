import { isFloating } from '../dtypes.js'
import { invalid } from '../errors.js'
import { textChannels } from '../model/channels.js'
import type { Manifest } from '../model/manifest.js'
import { expectString, expectStrings } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { reading } from '../options/read.js'
import { expectTensor, Tensor } from '../values/tensor.js'

/** Finished text embeddings, (prompts, text, channels) each: the output of a text encoder for a padded text. */
export interface TextEmbeds {
  /** The prior's: float32, float16 or bfloat16. */
  prior?: Tensor
  /** The decoder's: float32, float16 or bfloat16. */
  decoder?: Tensor
}

type Half = 'prior' | 'decoder'

/** What the images of a call are conditioned on, with one entry for each prompt. */
export interface Conditioning {
  prompts: readonly string[]
  negativePrompts: readonly string[]
  embeds: TextEmbeds
  negativeEmbeds: TextEmbeds
}

/** The most characters of a text. Tokenizing a longer one would block the event loop. */
const LONGEST_PROMPT = 32_768
const MOST_PROMPTS = 1024

interface Given {
  prompt?: unknown
  negativePrompt?: unknown
  promptEmbeds?: unknown
  negativePromptEmbeds?: unknown
}

/**
 * @param half the half that a plain tensor in `promptEmbeds` is for
 * @param count how many prompts there must be, if that is known
 */
export function conditioningOf(given: Given, manifest: Manifest, half: Half, count?: number): Conditioning {
  const embeds = expectEmbeds('promptEmbeds', given.promptEmbeds, manifest, half)
  const negativeEmbeds = expectEmbeds('negativePromptEmbeds', given.negativePromptEmbeds, manifest, half)
  const rows = embeds.prior?.shape[0] ?? embeds.decoder?.shape[0]
  const prompts = given.prompt === undefined && rows !== undefined ? [''] : expectPrompts('prompt', given.prompt)
  const size = count ?? rows ?? prompts.length
  for (const [name, each] of [
    ['promptEmbeds', embeds],
    ['negativePromptEmbeds', negativeEmbeds]
  ] as const) {
    for (const tensor of Object.values(each)) {
      if (tensor !== undefined && tensor.shape[0] !== size)
        throw invalid(`${name}.shape[0]`, `${size}, the number of prompts,`, tensor.shape[0])
    }
  }
  const negative = given.negativePrompt === undefined ? [''] : expectPrompts('negativePrompt', given.negativePrompt)
  return {
    prompts: spread('prompt', prompts, size),
    negativePrompts: spread('negativePrompt', negative, size),
    embeds,
    negativeEmbeds
  }
}

function expectPrompts(name: string, value: unknown): string[] {
  const texts = expectStrings(name, value, MOST_PROMPTS)
  const long = texts.find(text => text.length > LONGEST_PROMPT)
  if (long !== undefined) throw invalid(name, `at most ${LONGEST_PROMPT} characters`, expectString(name, long))
  return texts
}

/** A single text is used for all prompts. A list has one for each. */
function spread(name: string, texts: readonly string[], size: number): readonly string[] {
  if (texts.length === size) return texts
  if (texts.length === 1) return Array.from({ length: size }, () => texts[0]!)
  throw invalid(name, `one text or ${size}, as many as there are prompts,`, texts)
}

function expectEmbeds(name: string, value: unknown, manifest: Manifest, half: Half): TextEmbeds {
  if (value === undefined) return {}
  if (isTensorLike(name, value)) return { [half]: expectTextTensor(name, value, manifest, half) }
  const { prior, decoder } = knownOptions(name, value, ['prior', 'decoder'])
  return {
    ...(prior === undefined ? {} : { prior: expectTextTensor(`${name}.prior`, prior, manifest, 'prior') }),
    ...(decoder === undefined ? {} : { decoder: expectTextTensor(`${name}.decoder`, decoder, manifest, 'decoder') })
  }
}

function isTensorLike(name: string, value: unknown): boolean {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return true
  return Tensor.is(value) || reading(name, () => Symbol.dispose in value)
}

/** (prompts, text, channels) in a floating dtype, as the half's `condition` takes it. */
function expectTextTensor(name: string, value: unknown, manifest: Manifest, half: Half): Tensor {
  const tensor = expectTensor(name, value)
  const channels = textChannels(manifest, half)
  const length = manifest.tokenizers[`${half}TextEncoder`]?.maxLength
  const [prompts, text, width] = tensor.shape
  const fits =
    tensor.shape.length === 3 &&
    prompts! >= 1 &&
    prompts! <= MOST_PROMPTS &&
    text === length &&
    (channels === undefined || width === channels)
  if (!fits) throw invalid(`${name}.shape`, `[prompts, ${length}, ${channels ?? 'channels'}]`, tensor.shape)
  if (!isFloating(tensor.dtype)) throw invalid(`${name}.dtype`, 'a floating dtype', tensor.dtype)
  return tensor
}
