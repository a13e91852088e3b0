import type {
  CutText,
  DecodeOptions,
  EditOptions,
  EncodeImageOptions,
  GenerateOptions,
  GenerationParameters,
  ImageFormat,
  PriorOptions,
  Timings,
  VaryOptions
} from '../../index.js'

/** Options of a call that are plain data. */
type Plain<T> = Readonly<
  Omit<T, 'signal' | 'onStep' | 'previews' | 'onPreview' | 'latents' | 'promptEmbeds' | 'negativePromptEmbeds' | 'mask'>
>

/** How finished images are written. */
export interface FileOptions {
  readonly format: ImageFormat
  /** 1–100, for JPEG and WebP. */
  readonly quality?: number
}

/** Previews of each image while the prior works, at most. */
interface Previews {
  readonly previews: number
}

/** What a request said of its reply. It goes with the job, for the reply may be fetched later. */
export interface ReplyTerms {
  /** Whether images are given as addresses. */
  readonly links: boolean
  /** Names of fields of the request that change nothing here. */
  readonly ignored: readonly string[]
  /** OpenAI's word for how much work went into the images. */
  readonly quality: 'auto' | 'low' | 'medium' | 'high'
}

/** An image that says what to change: what is transparent in it, or what is white. */
export interface Mask {
  readonly file: Uint8Array
  readonly changes: 'transparent' | 'white'
}

/**
 * What a job asks of a model. It is plain data, which can be kept and sent to another process, and nobody changes it after it
 * was made. Images and embeddings travel as the bytes of a file. With `ownMask`, what is transparent in an edit's image is what
 * changes, if anything is.
 */
export type Work = { readonly model: string; readonly images: number; readonly reply?: ReplyTerms } & (
  | (Readonly<{ kind: 'generate'; file: FileOptions; options: Plain<GenerateOptions> }> & Previews)
  | (Readonly<{ kind: 'edit'; source: Uint8Array; mask?: Mask; ownMask?: true; file: FileOptions; options: Plain<EditOptions> }> &
      Previews)
  | (Readonly<{ kind: 'vary'; source: Uint8Array; file: FileOptions; options: Plain<VaryOptions> }> & Previews)
  | Readonly<{ kind: 'decode'; embeddings: Uint8Array; file: FileOptions; options: Plain<DecodeOptions> }>
  | Readonly<{ kind: 'embedText'; options: Plain<PriorOptions> }>
  | Readonly<{ kind: 'embedImage'; source: Uint8Array; options: Plain<EncodeImageOptions> }>
)

/** A finished image: a file's bytes, and what made it. */
export interface JobImage {
  file: Uint8Array
  format: ImageFormat
  width: number
  height: number
  seed: number
  parameters: Readonly<GenerationParameters>
}

/** What a job gives. It is plain data too. */
export type JobResult =
  | { kind: 'images'; images: JobImage[]; timings: Timings; cut: CutText[] }
  /** A safetensors file, and its numbers; seeds are null for embeddings of real images. */
  | { kind: 'embeddings'; file: Uint8Array; shape: number[]; values: number[]; seeds: (number | null)[] }

/** What running work has to say. */
export type WorkEvent =
  | { type: 'step'; image: number; stage: 'prior' | 'decoder' | 'vqDecoder'; step: number; steps: number }
  /** `index` counts the previews of one image, from 0. */
  | { type: 'preview'; image: number; index: number; file: Uint8Array; format: ImageFormat; width: number; height: number }
  | { type: 'image'; image: number; result: JobImage }

/** Runs work; rejects once the signal is aborted. */
export type Runner = (work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void) => Promise<JobResult>

/** Bytes of the files and texts that work holds. */
export function inputBytes(work: Work): number {
  const { prompt, negativePrompt } = work.options as Plain<GenerateOptions>
  const files = [
    'source' in work ? work.source : null,
    'mask' in work ? work.mask?.file : null,
    'embeddings' in work ? work.embeddings : null
  ]
  return bytesOf([files, prompt, negativePrompt])
}

/** Bytes of everything in plain data; the names of its fields, which all have in common, do not count. */
export function bytesOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data)
  if (data instanceof Uint8Array) return data.byteLength
  if (data === undefined || data === null) return 0
  if (typeof data !== 'object') return 8
  return Object.values(data).reduce((sum: number, each) => sum + bytesOf(each), 0)
}
