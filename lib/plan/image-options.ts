import type { ImageInput } from '../image/input.js'
import type { Sampler } from '../options/sampling.js'
import type { DecoderSampling, ImageOptions, PreviewOptions, RunOptions, SeedOptions } from './options.js'
import type { FitOptions } from '../image/fit.js'

/** The options of `encodeImage` and `encodeLatents`. */
export interface EncodeImageOptions extends FitOptions {
  /** Rejects the call at once with the signal's reason; the engine stops at its next step. */
  signal?: AbortSignal
}

/** The options of `reconstruct`. */
export interface ReconstructOptions extends FitOptions, RunOptions, SeedOptions, DecoderSampling, ImageOptions {
  /** Images per input image, 1 to 4096. Defaults to 1. */
  n?: number
  /** The decoder's prompt, for all images or one for each. Defaults to `''`. */
  prompt?: string | readonly string[]
  /** What to avoid, for all images or one for each. It has an effect only where guidance works. Defaults to `''`. */
  negativePrompt?: string | readonly string[]
}

/** The options of `vary`. */
export interface VaryOptions extends ReconstructOptions, PreviewOptions {
  /**
   * How far the result may be from the image, from 0 (its reconstruction) to 1 (independent of it). The noise is relative to the
   * spread of the embeddings, so that a strength means the same on every checkpoint. Defaults to 0.5, for edits to 0.8, and with
   * a mask to 1.
   */
  strength?: number
  /**
   * 1 to 1000 steps for a strength of 1. Smaller strengths take their share of them. Defaults to the number of steps of the
   * model's timesteps.
   */
  priorSteps?: number
  /** Defaults to `ddpm`, the reference's. */
  priorSampler?: Sampler
  /** Timesteps from 0 to 1, rising, in which guidance works. Defaults to [0, 1]. */
  priorGuidanceInterval?: readonly [number, number]
  /** 0 to 1000; values above 1 turn guidance on. Defaults to the model's value with a prompt, and to 0 without. */
  priorGuidanceScale?: number
}

/** The options of `edit`. */
export interface EditOptions extends VaryOptions {
  /** What the result shows, for all images or one for each. */
  prompt: string | readonly string[]
  /**
   * An image of the input image's own size. White is changed. Black is kept, and its pixels come back unchanged. Of grey, 128
   * is half the way from the image to the changed one. Values up to 8 are black and from 247 white, in files with loss up to 40
   * and from 215. Transparency counts as black. `'alpha'` is the image's own transparency instead: what is transparent is
   * changed (a file of that name is `./alpha`). One for all images or one for each. Without a mask, everything may change.
   * @throws INVALID_ARGUMENT if all of it is black, or another size, or if an image for `'alpha'` has no transparency
   */
  mask?: ImageInput | readonly ImageInput[]
  /** Whole pixels within the mask over which the new image fades in, 0 to 1024. Defaults to 1/64 of the shorter side. */
  feather?: number
}
