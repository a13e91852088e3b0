import type { RawImage } from '../image/input.js'
import type { Tensor } from '../values/tensor.js'
import type { TextEmbeds } from './conditioning.js'

/** Strictly descending noise levels from 1 to 0. */
export type Timesteps = readonly number[] | Float64Array

/** One finished step of one image. */
export interface StepEvent {
  /** Index of the image within the call. */
  image: number
  stage: 'prior' | 'decoder' | 'vqDecoder'
  /** How many of `steps` are done, from 1. */
  step: number
  steps: number
  /** The noise level that was removed, from 1 (all noise) to 0. */
  timestep: number
  /** Milliseconds since the call. */
  elapsedMs: number
}

/** What every call that runs a network takes. */
export interface RunOptions {
  /** Rejects the call at once with the signal's reason; the engine stops at its next step. */
  signal?: AbortSignal
  /** Called after every step of every image. What it throws rejects the call. */
  onStep?: (event: StepEvent) => void
}

export interface SeedOptions {
  /** Image k uses seed + k. Integer from 0 to 2^53 - 1. Defaults to a random one; the used seeds come back. */
  seed?: number
  /** One seed an image, instead of `seed`. */
  seeds?: readonly number[]
}

export interface PriorOptions extends RunOptions, SeedOptions {
  /** What to draw; a list makes pictures for each, in one batch. May be left out where `promptEmbeds` says it. */
  prompt?: string | readonly string[]
  /** What to avoid, for all prompts or one each; matters only with a guidance scale above 1. Defaults to `''`. */
  negativePrompt?: string | readonly string[]
  /** Pixels; with the published constants a multiple of 128. Defaults to what the model was made for. */
  width?: number
  height?: number
  /** Defaults to 1. */
  numImagesPerPrompt?: number
  /** Equal steps from 1 to 0, instead of `priorTimesteps`. */
  priorSteps?: number
  /**
   * Descending noise levels, the last one 0: n values are n - 1 steps. Defaults to the model's, usually
   * `DEFAULT_STAGE_C_TIMESTEPS`.
   */
  priorTimesteps?: Timesteps
  /** Guidance works above 1. Defaults to the model's, usually 4. */
  priorGuidanceScale?: number
  /** Start noise of the prior, (images, 16, gridHeight, gridWidth). Defaults to draws from each image's stream. */
  latents?: Tensor
  /** Finished text embeddings instead of `prompt`: a tensor is meant for the prior, an object names both halves. */
  promptEmbeds?: Tensor | TextEmbeds
  negativePromptEmbeds?: Tensor | TextEmbeds
}

/** How the decoder runs. */
export interface DecoderSampling {
  /** Equal steps from 1 to 0, instead of `decoderTimesteps`. Defaults to the model's, usually 12. */
  decoderSteps?: number
  /** Descending noise levels, the last one 0: n values are n - 1 steps. */
  decoderTimesteps?: Timesteps
  /** Guidance works above 1. Defaults to the model's, usually 0. */
  decoderGuidanceScale?: number
}

/** What Stage C has in mind after one of its steps, long before the picture is there. */
export interface PreviewEvent {
  /** Of the image within the call. */
  index: number
  /** RGB: 8 pixels a cell of the embedding grid from a previewer; a model without one gives the picture's own size. */
  image: RawImage & { data: Uint8Array }
  stage: 'prior'
  /** How many of `steps` are done, from 1. */
  step: number
  steps: number
  /** Milliseconds since the call. */
  elapsedMs: number
}

export interface PreviewOptions {
  /**
   * Previews of each image at most, equally far apart over the prior's steps; the last one shows its result. 0 to 1000, and
   * 0 by default. With a previewer they cost little; without one, three steps of the decoder and Stage A each. The pictures
   * are the same with and without them.
   */
  previews?: number
  /** Called with every preview; needs `previews`. What it throws rejects the call. */
  onPreview?: (event: PreviewEvent) => void
}

export interface GenerateOptions extends PriorOptions, DecoderSampling, PreviewOptions {}

export interface DecodeOptions extends RunOptions, SeedOptions, DecoderSampling {
  /** What the decoder is told, for all embeddings or one each. Defaults to what the prior was told, else `''`. */
  prompt?: string | readonly string[]
  negativePrompt?: string | readonly string[]
  /** Start noise of the decoder, (images, 4, height / 4, width / 4). Defaults to draws from each image's stream. */
  latents?: Tensor
  /**
   * 0 to 1: `latents` are not noise but a picture's, as `encodeLatents` gives them; they get this share of noise and are
   * drawn anew from there, in that share of the steps. At 0 next to nothing changes.
   */
  strength?: number
  /** Finished text embeddings of the decoder's text encoder. */
  promptEmbeds?: Tensor | TextEmbeds
  negativePromptEmbeds?: Tensor | TextEmbeds
}
