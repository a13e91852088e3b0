import type { GeneratedImage } from '../image/generated-image.js'
import type { Timings } from '../native.js'
import type { ImageEvent, PreviewEvent, StepEvent } from '../plan/options.js'
import type { CutText } from './texts.js'

/** What the calls that make images resolve to. */
export interface GenerateResult {
  /** Ordered by prompt, with `numImagesPerPrompt` images for each. */
  images: GeneratedImage[]
  /** The seed of each image. */
  seeds: number[]
  /** Milliseconds of wall time in each stage. */
  timings: Timings
  /** The texts that were too long, with the ends that were cut off. */
  cut: CutText[]
}

export type StreamEvent =
  | ({ type: 'step' } & StepEvent)
  | ({ type: 'preview' } & PreviewEvent)
  | ({ type: 'image' } & ImageEvent)
  | ({ type: 'done' } & GenerateResult)
