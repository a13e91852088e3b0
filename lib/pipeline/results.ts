import type { GeneratedImage } from '../image/generated-image.js'
import type { Choice } from '../model/select.js'
import type { StageName } from '../native.js'
import type { Timings } from '../timings.js'
import type { ImageEvent, PreviewEvent, StepEvent } from '../plan/options.js'
import type { CutText } from './texts.js'

/** The model of a pipeline. */
export interface LoadedModel {
  /** Its name, as its manifest has it. */
  name: string
  /** The licence of its weights, as its manifest has it. */
  license: string
  /** The absolute path of its directory. */
  path: string
  /** SHA-256 of its manifest. */
  hash: string
}

/** The artefact that runs a stage on a device. */
export interface LoadedArtefact {
  /** `cpu`, `cuda:0`, … */
  device: string
  /** The stage that it runs. */
  stage: StageName
  /** Its name in the model directory. */
  file: string
  /** `torchscript`, or `aoti` where compiled libraries run. */
  kind: string
  /** What it computes in. */
  dtype: string
  /**
   * `false` where its libraries were compiled for a GPU that was not there. Loading has compared them with their program once, at
   * the smallest size.
   */
  verified: boolean
  /** The others of this stage, and why each was not chosen. */
  rejected: Choice['rejected']
}

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

/** What `stream` yields. `done` is the last. */
export type StreamEvent =
  | ({
      /** A step of an image. */
      type: 'step'
    } & StepEvent)
  | ({
      /** A preview of an image. */
      type: 'preview'
    } & PreviewEvent)
  | ({
      /** A finished image. */
      type: 'image'
    } & ImageEvent)
  | ({
      /** The end, with the result of the call. */
      type: 'done'
    } & GenerateResult)
