/**
 * The typed contract between TypeScript and the addon (`cpp/addon`). Nothing else crosses the boundary. docs/architecture.md says
 * who checks what. Errors of the addon have a code and a subject; `loadAddon` makes them into `WuerstchenError`s.
 */

import type { Dtype } from './dtypes.js'
import type { StageCost, Timings } from './timings.js'
import type { FunctionSpec } from './tensor-spec.js'

/** Every stage that a model can have. cpp/core/spec.h and the exporter have the same names (tested). */
export const STAGE_NAMES = [
  'priorTextEncoder',
  'prior',
  'decoderTextEncoder',
  'decoder',
  'vqDecoder',
  'vqEncoder',
  'imageEncoder',
  'previewer'
] as const

/**
 * The programs that a model can consist of.
 * @useDeclaredType
 */
export type StageName = (typeof STAGE_NAMES)[number]

/** A task of an engine's thread. `done` resolves with null if the task was cancelled. */
export interface NativeTask {
  id: number
  done: Promise<TensorHandle | null>
}

/** Opaque, type-tagged handles. A wrong, foreign or disposed handle throws and never crashes the process. */
export interface TensorHandle {
  readonly __native: 'tensor'
}
export interface StageHandle {
  readonly __native: 'stage'
}
export interface EngineHandle {
  readonly __native: 'engine'
}

export interface ProgramSpec {
  kind: 'torchscript' | 'aoti'
  /** Absolute path, for messages. */
  file: string
  /**
   * The open file, whose size and sha256 have been checked. The addon duplicates it before `createEngine` or `loadStage` returns.
   */
  fd: number
  /**
   * `dev,ino,size,mtimeNs` of the open file, from before it was hashed. The addon compares it before and after each load, and
   * refuses with MODEL_INVALID if the file has been written to since. Its name may be another file's by then. A writer who sets
   * the time of the write back is not noticed: who may write to a model may do worse.
   */
  stamp: string
  /** The dtype it computes in. */
  dtype: Dtype
  /** The dtype that its weights are stored in. If it differs from `dtype`, such weights are converted while they are loaded. */
  storage: Dtype
  functions: Readonly<Record<string, FunctionSpec>>
  /** Kind `aoti`: the compiled functions. Sizes outside a library's limits run in the TorchScript program `file`. */
  libraries?: Readonly<Record<string, LibrarySpec>>
}

/** A compiled function, with a limit for every independent dimension of its inputs. */
export interface LibrarySpec {
  /** Absolute path, for messages: `bytes` are what is loaded. */
  file: string
  /** Of `bytes`. It tells apart libraries of one name, which the dynamic loader would take for each other. */
  sha256: string
  bytes: Uint8Array
  limits: Readonly<Record<string, { least: number; most: number; multipleOf: number }>>
}

export interface EngineConstants {
  latentMean: number
  latentStd: number
  scaleFactor: number
  latentDimScale: number
  /** Sides of the decoder's latents are multiples of it. */
  latentUnit: number
  priorScheduler: { scaler: number; s: number }
  decoderScheduler: { scaler: number; s: number }
}

export interface EngineSpec {
  /** `cpu`, `cuda:0`, … (already resolved; never `auto`). */
  device: string
  threads: number
  /** Most images in one batch. */
  maxBatch: number
  /** Most cells of embeddings in a batch of more than one image; 0: any number. */
  maxBatchCells: number
  residency: 'all' | 'sequential'
  constants: EngineConstants
  programs: Readonly<Partial<Record<StageName, ProgramSpec>>>
  /** What each text encoder takes: its number of tokens, and the largest token id of its tokenizer. */
  texts: Readonly<Partial<Record<StageName, { length: number; largest: number }>>>
}

/** One text for a text encoder: token ids with their attention mask, or finished embeddings (1, text, channels). */
export type TextInput = { ids: BigInt64Array; mask: BigInt64Array } | { embeddings: TensorHandle }

/** One image of a request. Text fields index `priorTexts` / `decoderTexts`; -1 if there is none. */
export interface ImageSpec {
  /** Seed of the image's own random stream, 0 … 2^53 - 1. */
  seed: number
  /** How many random normals have already been drawn from the stream (if a decode continues a prior's stream). */
  randomOffset: number
  priorText: number
  priorNegativeText: number
  decoderText: number
  decoderNegativeText: number
}

/** How one stage is sampled. */
export interface NativeSampling {
  /** Descending noise levels in [0, 1]. Denoising ends at the last one. */
  timesteps: Float64Array
  sampler: 'ddpm' | 'ddim' | 'dpm-solver++'
  guidanceScale: number
  /** Guidance works at timesteps from and to these. */
  guidanceFrom: number
  guidanceTo: number
}

/** One call of `generate`, `prior` or `decode`. */
export interface EngineRequest {
  /** The embedding grid: (16, gridHeight, gridWidth). */
  gridHeight: number
  gridWidth: number
  images: readonly ImageSpec[]
  priorTexts: readonly TextInput[]
  decoderTexts: readonly TextInput[]
  /** null: the prior does not run, and `embeddings` is given. */
  prior: NativeSampling | null
  /** null: the request ends after the prior, and the result has embeddings but no pixels. */
  decoder: NativeSampling | null
  /** (images, 16, gridHeight, gridWidth) start noise for the prior; null draws it from each image's stream. */
  priorLatents: TensorHandle | null
  /**
   * (images, 16, gridHeight, gridWidth) in Stage B's space `e`, or null. Without a prior they are decoded. With a prior, it
   * starts from them, noised to its first timestep.
   */
  embeddings: TensorHandle | null
  /**
   * (images, 1, gridHeight, gridWidth) in [0, 1]: 1 is made anew, and 0 keeps `embeddings`. It needs both a prior and embeddings.
   */
  mask: TensorHandle | null
  /** (images, 4, latentHeight, latentWidth) start noise for the decoder, or null. */
  decoderLatents: TensorHandle | null
  /** (images, 4, latentHeight, latentWidth) VQGAN latents the decoder starts from, noised to its first timestep. */
  decoderSource: TensorHandle | null
  /** The most previews of each image. They need a prior, and a previewer or a decoder that stays loaded. */
  previews: number
}

/** The embedding grid a real image is encoded to: `cover` cuts the centre, `fill` stretches. */
export interface GridTarget {
  gridHeight: number
  gridWidth: number
  fit: 'cover' | 'fill'
}

export interface NativePixels {
  width: number
  height: number
  /** RGB, row by row, width · height · 3 bytes. */
  data: Uint8Array
}

export type EngineEvent =
  | {
      type: 'step'
      image: number
      stage: 'prior' | 'decoder' | 'vqDecoder'
      step: number
      steps: number
      timestep: number
      batch: number
    }
  | { type: 'preview'; image: number; pixels: NativePixels; step: number; steps: number }
  | { type: 'image'; image: number; pixels: NativePixels }

/** The images are not in it: each one was passed with its `image` event, before the result. */
export interface EngineResult {
  /** (images, 16, gridHeight, gridWidth) float32 on the CPU, Stage B's space. */
  embeddings: TensorHandle
  /** The number of random normals drawn from each image's stream. */
  randomOffsets: number[]
  timings: Timings
}

/** What an engine does, and what it has done since it was made. */
export interface EngineStats {
  /** Requests that wait for their first step. */
  queued: number
  /** Requests that have begun. */
  running: number
  /** Requests that ended with images or embeddings. */
  completed: number
  /** Requests that ended with an error. */
  failed: number
  /** Requests that were cancelled. */
  cancelled: number
  /** Image tasks (encoding, decoding of latents) that wait or run. */
  tasks: number
  /**
   * Milliseconds since the engine last finished something: a step, a text batch, a task, a loaded program. Where it had no work
   * then, since it got some. 0 while it has none. Work whose caller has given up counts as long as the engine still has it.
   */
  silentMs: number
  /** The stage whose program it uses now or used last; null before the first. */
  doing: StageName | null
  /** The intra-op threads that it really has. */
  threads: number
  /** What each stage has cost. */
  stages: Record<string, StageCost>
  /** How many denoising runs had this many images. */
  batchSizes: Record<string, number>
  /** Bytes of weights now loaded, per stage. */
  bytes: Record<string, number>
}

export interface RuntimeInfo {
  torchVersion: string
  cpuCapability: string
  threads: number
  /**
   * `built`: whether this LibTorch has CUDA; `devices`: how many it can use; `reason`: why it can use none, else empty;
   * `architectures`: compute capability of each device, as in `9.0`, empty if the driver does not report it.
   */
  cuda: { built: boolean; available: boolean; devices: number; reason: string; architectures: string[] }
}

export interface Native {
  /** True for the first copy of this package that calls it in its environment. */
  initialize(): boolean
  runtimeInfo(): RuntimeInfo

  /** Copies `data`. Its byte length must be exactly that of shape and dtype. */
  createTensor(data: NodeJS.ArrayBufferView, shape: readonly number[], dtype: Dtype): TensorHandle
  tensorInfo(tensor: TensorHandle): { shape: number[]; dtype: Dtype; device: string; bytes: number }
  tensorTo(tensor: TensorHandle, device: string | null, dtype: Dtype | null): Promise<TensorHandle>
  tensorData(tensor: TensorHandle): Promise<ArrayBuffer>
  disposeTensor(tensor: TensorHandle): void

  /** Loads any exported program by itself, on its own thread. */
  loadStage(program: ProgramSpec, device: string, threads: number): Promise<StageHandle>
  runStage(stage: StageHandle, functionName: string, inputs: readonly TensorHandle[]): Promise<TensorHandle[]>
  disposeStage(stage: StageHandle): Promise<void>

  /**
   * Loads every program on the engine's own thread and runs it once. If residency is sequential, it keeps none of them.
   * `disposeEngine` stops loading too.
   */
  createEngine(
    spec: EngineSpec,
    onProgress: (stage: StageName, done: number, total: number) => void
  ): { engine: EngineHandle; loaded: Promise<void> }
  submit(
    engine: EngineHandle,
    request: EngineRequest,
    onEvent: (event: EngineEvent) => void
  ): { id: number; done: Promise<EngineResult | null> }
  /** A request's or a task's id. Takes effect at the next step boundary. `done` then resolves with null. */
  cancel(engine: EngineHandle, id: number): void

  /** The image encoder's input: (1, 3, 32·gridHeight, 32·gridWidth) float32, antialiased bilinear, ImageNet-normalised. */
  preprocessImage(pixels: NativePixels, target: GridTarget): Promise<TensorHandle>
  /**
   * A real image to (1, 16, gridHeight, gridWidth) float32 in Stage B's space. It runs between two steps of the running requests.
   */
  encodeImage(engine: EngineHandle, pixels: NativePixels, target: GridTarget): NativeTask
  /** Sides multiples of 4 → (1, 4, height/4, width/4) float32 VQGAN latents. */
  encodeLatents(engine: EngineHandle, pixels: NativePixels): NativeTask
  /** (1, 4, h, w) VQGAN latents → (4h, 4w, 3) uint8 RGB. */
  decodeLatents(engine: EngineHandle, latents: TensorHandle): NativeTask
  engineStats(engine: EngineHandle): EngineStats
  /** Drops what waits and ends what runs at its next step boundary. Both reject with DISPOSED. */
  disposeEngine(engine: EngineHandle): Promise<void>
  /**
   * The native objects that are alive, by kind; `weights` are those that compiled libraries hold. They are of the whole process,
   * but `calls` is of this environment.
   */
  liveObjects(): Record<string, number>
  /** Stops every thread of this environment at its next step boundary and joins it. The process's exit handler calls it. */
  shutdown(): void
  /** Ends the process with `_exit`: no handler, no destructor and no thread is waited for. */
  exitNow(code: number): never
}
