import type { ImageInput } from '../image/input.js'
import type { DecoderSampling, PreviewOptions, RunOptions, SeedOptions } from './options.js'
import type { FitOptions } from '../image/fit.js'

export interface EncodeImageOptions extends FitOptions {
  /** Gives the call up. */
  signal?: AbortSignal
}

export interface ReconstructOptions extends FitOptions, RunOptions, SeedOptions, DecoderSampling {
  /** Pictures of each image, 1 to 4096. Defaults to 1. */
  n?: number
  /** What the decoder is told, for all images or one each. Defaults to `''`. */
  prompt?: string | readonly string[]
  negativePrompt?: string | readonly string[]
}

export interface VaryOptions extends ReconstructOptions, PreviewOptions {
  /**
   * How far to go from the image, 0 (its reconstruction) to 1 (nothing of it): the share of noise, relative to the
   * spread of the embeddings, so that it means the same on every checkpoint. Defaults to 0.5; edits to 0.8, with a mask to 1.
   */
  strength?: number
  /** Steps that a strength of 1 takes; others take their share of them. Defaults to as many as the model's timesteps are. */
  priorSteps?: number
  /** Guidance works above 1. Defaults to the model's with a prompt, to 0 without. */
  priorGuidanceScale?: number
}

export interface EditOptions extends VaryOptions {
  /** What the image is to show, for all images or one each. */
  prompt: string | readonly string[]
  /**
   * A picture of the image's own size: white is changed, black is kept, and its pixels come back as they were. One for
   * all images or one each; transparency counts as black. Without it everything may change.
   */
  mask?: ImageInput | readonly ImageInput[]
  /** Pixels within the mask over which the new picture fades in. Defaults to 1/64 of the shorter side. */
  feather?: number
}
