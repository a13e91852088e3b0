import type { GeneratedImage } from '../image/generated-image.js'
import type { RgbImage } from '../image/input.js'
import type { Preset, Sampler } from '../options/sampling.js'
import type { Tensor } from '../values/tensor.js'
import type { TextEmbeds } from './conditioning.js'

/** Strictly descending noise levels from 1 to 0. */
export type Timesteps = readonly number[] | Float64Array

/** One finished step of one image. */
export interface StepEvent {
  /** Index of the image within the call. */
  image: number
  /** The stage that made the step. `vqDecoder` has one, which makes the pixels. */
  stage: 'prior' | 'decoder' | 'vqDecoder'
  /** How many of `steps` are done, from 1. */
  step: number
  /** How many steps the stage makes of this image. */
  steps: number
  /** The noise level at which the step began, from 1 (all noise) to 0. */
  timestep: number
  /** Milliseconds since the call. */
  elapsedMs: number
}

/** The options of every call that runs a network. */
export interface RunOptions {
  /**
   * Rejects the call at once with the signal's reason. The engine stops at its next step. A signal of another realm or library
   * will do if it has `aborted`, `addEventListener` and `removeEventListener`.
   */
  signal?: AbortSignal
  /**
   * Called after every step of every image. If it throws, or if it is async and rejects, the call rejects with exactly that, the
   * engine stops, and it is not called again. The engine does not wait for it, but the call does. It runs in the async context
   * (`AsyncLocalStorage`) of the call.
   */
  onStep?: (event: StepEvent) => unknown
}

/** The random numbers of a call. */
export interface SeedOptions {
  /** Image k uses seed + k. Integer from 0 to 2^53 - 1. Defaults to a random one. The result has the seeds that were used. */
  seed?: number
  /** One seed for each image, instead of `seed`. */
  seeds?: readonly number[]
}

/** The options of `prior`, and those of `generate` that steer the prior. */
export interface PriorOptions extends RunOptions, SeedOptions {
  /**
   * What to draw: at most 1024 texts of at most 32768 characters. The images of a list are made together. May be left out if
   * `promptEmbeds` is given.
   */
  prompt?: string | readonly string[]
  /** What to avoid, for all prompts or one for each. It has an effect only with a guidance scale above 1. Defaults to `''`. */
  negativePrompt?: string | readonly string[]
  /**
   * Pixels, at most 8192. With the published constants they are multiples of 128. Defaults to the size that the model was made
   * for.
   */
  width?: number
  /** Pixels, as `width`. */
  height?: number
  /** How many images are made of each prompt, 1 to 4096. Defaults to 1. */
  numImagesPerPrompt?: number
  /** Steps and samplers that the model's manifest names. What is given beside it goes first. Defaults to `reference`. */
  preset?: Preset
  /** Defaults to `ddpm`, the reference's. The other two add no noise between steps, and need fewer of them. */
  priorSampler?: Sampler
  /** 1 to 1000 steps from 1 to 0 as they suit the sampler, instead of `priorTimesteps`. */
  priorSteps?: number
  /**
   * 2 to 1001 descending noise levels from 1 to 0: n values are n - 1 steps. Defaults to the model's, usually
   * `DEFAULT_STAGE_C_TIMESTEPS`.
   */
  priorTimesteps?: Timesteps
  /** 0 to 1000; values above 1 turn guidance on. Defaults to the model's, usually 4. */
  priorGuidanceScale?: number
  /**
   * Timesteps from 0 to 1, rising, in which guidance works. In steps outside of it the prior runs on the prompt alone, which is
   * half the work. Defaults to [0, 1].
   */
  priorGuidanceInterval?: readonly [number, number]
  /** Start noise of the prior, (images, 16, gridHeight, gridWidth). Defaults to draws from each image's stream. */
  latents?: Tensor
  /** Finished text embeddings instead of `prompt`. A tensor is for the prior. An object has one for each half. */
  promptEmbeds?: Tensor | TextEmbeds
  /** Finished text embeddings instead of `negativePrompt`, as `promptEmbeds`. */
  negativePromptEmbeds?: Tensor | TextEmbeds
}

/** How the decoder runs. */
export interface DecoderSampling {
  /** Steps and samplers that the model's manifest names. What is given beside it goes first. Defaults to `reference`. */
  preset?: Preset
  /** Defaults to `ddpm`, the reference's. The other two add no noise between steps, and need fewer of them. */
  decoderSampler?: Sampler
  /**
   * 1 to 1000 steps from 1 to 0 as they suit the sampler, instead of `decoderTimesteps`. Defaults to the model's, usually 12.
   */
  decoderSteps?: number
  /** 2 to 1001 descending noise levels from 1 to 0: n values are n - 1 steps. */
  decoderTimesteps?: Timesteps
  /** 0 to 1000; values above 1 turn guidance on. Defaults to the model's, usually 0. */
  decoderGuidanceScale?: number
}

/** Stage C's estimate of the image after one of its steps, long before the image is finished. */
export interface PreviewEvent {
  /** Index of the image within the call. */
  index: number
  /** RGB. A previewer makes 8 pixels for each cell of the embedding grid. A model without one makes the image's own size. */
  image: RgbImage
  /** Only the prior gives previews. */
  stage: 'prior'
  /** How many of `steps` are done, from 1. */
  step: number
  /** How many steps the prior makes of this image. */
  steps: number
  /** Milliseconds since the call. */
  elapsedMs: number
}

/** Images before the image is finished. */
export interface PreviewOptions {
  /**
   * The most previews of each image, 0 to 1000. Defaults to 0. They are equally far apart over the prior's steps, and the last
   * one shows its result. With a previewer they cost little. Without one, each costs three steps of the decoder and a run of
   * Stage A. The images are the same with and without them.
   */
  previews?: number
  /** Called with every preview. It needs `previews`. What holds for `onStep` holds for it. */
  onPreview?: (event: PreviewEvent) => unknown
}

/** One finished image. */
export interface ImageEvent {
  /** Index of the image within the call. */
  index: number
  /** The image, as the result has it. */
  image: GeneratedImage
}

/** Images as they are finished. */
export interface ImageOptions {
  /**
   * Called with every image as soon as it is finished, which may be in another order than that of the result. What holds for
   * `onStep` holds for it.
   */
  onImage?: (event: ImageEvent) => unknown
}

/** The options of `generate` and `stream`. */
export interface GenerateOptions extends PriorOptions, DecoderSampling, PreviewOptions, ImageOptions {}

/** The options of `decode`. */
export interface DecodeOptions extends RunOptions, SeedOptions, DecoderSampling, ImageOptions {
  /** The decoder's prompt, for all embeddings or one for each. Defaults to the prior's prompt, else `''`. */
  prompt?: string | readonly string[]
  /** What the decoder avoids, for all embeddings or one for each. Defaults to the prior's, else `''`. */
  negativePrompt?: string | readonly string[]
  /** Start noise of the decoder, (images, 4, height / 4, width / 4). Defaults to draws from each image's stream. */
  latents?: Tensor
  /**
   * 0 to 1. With it, `latents` are not noise but an image's, as `encodeLatents` returns them. They get this share of noise, and
   * Stage B removes it in that share of the steps. At 0 almost nothing changes.
   */
  strength?: number
  /** Finished text embeddings of the decoder's text encoder. */
  promptEmbeds?: Tensor | TextEmbeds
  /** Finished text embeddings instead of `negativePrompt`. */
  negativePromptEmbeds?: Tensor | TextEmbeds
}
