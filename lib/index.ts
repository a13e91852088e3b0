/**
 * The model: from text and images to images.
 * @module wuerstchen
 */

export { Pipeline } from './pipeline/pipeline.js'
export { Embeddings } from './values/embeddings.js'
export { Tensor } from './values/tensor.js'
export { Stage } from './engine/stage.js'
export { WuerstchenError } from './errors.js'
export { GeneratedImage } from './image/generated-image.js'
export { readParameters } from './image/metadata.js'
export { DEFAULT_STAGE_C_TIMESTEPS, uniformTimesteps } from './plan/timesteps.js'
export { VERSION } from './version.js'

export type { ErrorCode, ErrorFacts } from './errors.js'
export type { EmbeddingOrigin } from './values/embedding-parts.js'
export type { EncodeOptions, FileOptions } from './image/generated-image.js'
export type { ImageInput, RawImage, RgbImage } from './image/input.js'
export type { BlobLike } from './options/blob.js'
export type { ImageFormat } from './image/formats.js'
export type { GenerationParameters, InputFacts, MixedPart } from './image/parameters.js'
export type { Dtype } from './dtypes.js'
export type { EngineStats, StageName } from './native.js'
export type { FunctionSpec, TensorSpec } from './tensor-spec.js'
export type { StageCost, Timings } from './timings.js'
export type { EditOptions, EncodeImageOptions, ReconstructOptions, VaryOptions } from './plan/image-options.js'
export type { Fit, FitOptions } from './image/fit.js'
export type { TextEmbeds } from './plan/conditioning.js'
export type { DeviceOption, LoadProgress, PipelineOptions } from './engine/load-options.js'
export type {
  DecodeOptions,
  DecoderSampling,
  GenerateOptions,
  ImageEvent,
  ImageOptions,
  PreviewEvent,
  PreviewOptions,
  PriorOptions,
  RunOptions,
  SeedOptions,
  StepEvent,
  Timesteps
} from './plan/options.js'
export type { GenerateResult, LoadedArtefact, LoadedModel, StreamEvent } from './pipeline/results.js'
export type { BatchLimits } from './engine/batch-limits.js'
export type { PipelineStats } from './engine/stats.js'
export type { CutText } from './pipeline/texts.js'
export type { StageOptions } from './engine/stage.js'
export type { FloatDtype, TensorData } from './dtypes.js'
