export { Pipeline } from './pipeline/pipeline.js'
export { Embeddings } from './embeddings.js'
export { Tensor } from './tensor.js'
export { Stage } from './stage.js'
export { WuerstchenError } from './errors.js'
export { GeneratedImage } from './image/generated-image.js'
export { readParameters } from './image/metadata.js'
export { DEFAULT_STAGE_C_TIMESTEPS, uniformTimesteps } from './timesteps.js'
export { VERSION } from './version.js'

export type { ErrorCode } from './errors.js'
export type { EmbeddingOrigin } from './embeddings.js'
export type { EncodeOptions, FileOptions } from './image/generated-image.js'
export type { ImageInput, RawImage } from './image/input.js'
export type { ImageFormat } from './image/metadata.js'
export type { GenerationParameters, InputFacts, MixedPart } from './image/parameters.js'
export type { Dtype, FunctionSpec, TensorSpec, Timings } from './native.js'
export type { EditOptions, EncodeImageOptions, ReconstructOptions, VaryOptions } from './modify/options.js'
export type { Fit, FitOptions } from './modify/fit.js'
export type { TextEmbeds } from './pipeline/conditioning.js'
export type { DeviceOption, FloatDtype, LoadProgress, PipelineOptions } from './pipeline/load-options.js'
export type {
  DecodeOptions,
  GenerateOptions,
  GenerateResult,
  PreviewEvent,
  PreviewOptions,
  PriorOptions,
  StepEvent,
  StreamEvent,
  Timesteps
} from './pipeline/options.js'
export type { PipelineStats } from './pipeline/stats.js'
export type { CutText } from './pipeline/texts.js'
export type { StageOptions } from './stage.js'
export type { TensorData } from './dtype.js'
