import type { GenerationParameters } from '../../image/parameters.js'
import type { ImageFormat } from '../../image/formats.js'
import type { EditOptions, EncodeImageOptions, VaryOptions } from '../../plan/image-options.js'
import type { Timings } from '../../native.js'
import type { DecodeOptions, GenerateOptions, PriorOptions } from '../../plan/options.js'
import type { CutText } from '../../pipeline/texts.js'

/** Plain options of a call: what can be written down and sent to another process. */
type Plain<T> = Omit<
  T,
  'signal' | 'onStep' | 'previews' | 'onPreview' | 'latents' | 'promptEmbeds' | 'negativePromptEmbeds' | 'mask'
>

/** How finished pictures are written. */
export interface FileOptions {
  format: ImageFormat
  /** 1–100, for JPEG and WebP. */
  quality?: number
}

/** Previews of each picture while the prior works, at most. */
interface Previews {
  previews: number
}

/** A picture that says what to change: what is transparent in it, or what is white. */
export interface Mask {
  file: Buffer
  changes: 'transparent' | 'white'
}

/**
 * What a job asks of a model: data alone, so that it may be kept and run elsewhere. Pictures and embeddings travel as the
 * bytes of a file.
 */
export type Work = { model: string; images: number } & (
  | ({ kind: 'generate'; file: FileOptions; options: Plain<GenerateOptions> } & Previews)
  | ({ kind: 'edit'; source: Buffer; mask?: Mask; file: FileOptions; options: Plain<EditOptions> } & Previews)
  | ({ kind: 'vary'; source: Buffer; file: FileOptions; options: Plain<VaryOptions> } & Previews)
  | { kind: 'decode'; embeddings: Buffer; file: FileOptions; options: Plain<DecodeOptions> }
  | { kind: 'embedText'; options: Plain<PriorOptions> }
  | { kind: 'embedImage'; source: Buffer; options: Plain<EncodeImageOptions> }
)

/** A finished picture: a file's bytes, and what made it. */
export interface JobImage {
  file: Buffer
  format: ImageFormat
  width: number
  height: number
  seed: number
  parameters: Readonly<GenerationParameters>
}

export type JobResult =
  | { kind: 'images'; images: JobImage[]; timings: Timings; cut: CutText[] }
  /** A safetensors file, and its numbers; seeds are null for embeddings of real images. */
  | { kind: 'embeddings'; file: Buffer; shape: number[]; values: number[]; seeds: (number | null)[] }

/** What running work has to say. */
export type WorkEvent =
  | { type: 'step'; image: number; stage: 'prior' | 'decoder' | 'vqDecoder'; step: number; steps: number }
  /** `index` counts the previews of one picture, from 0. */
  | { type: 'preview'; image: number; index: number; file: Buffer; format: ImageFormat; width: number; height: number }
  | { type: 'image'; image: number; result: JobImage }

/** Runs work; rejects with the signal's reason once that is aborted. */
export type Runner = (work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void) => Promise<JobResult>

/** Bytes of input that a job holds on to. */
export function inputBytes(work: Work): number {
  switch (work.kind) {
    case 'generate':
    case 'embedText':
      return 0
    case 'edit':
      return work.source.length + (work.mask?.file.length ?? 0)
    case 'vary':
    case 'embedImage':
      return work.source.length
    case 'decode':
      return work.embeddings.length
  }
}

/** Bytes of output that a finished job holds on to. */
export function resultBytes(result: JobResult): number {
  return result.kind === 'embeddings' ? result.file.length : result.images.reduce((sum, { file }) => sum + file.length, 0)
}
