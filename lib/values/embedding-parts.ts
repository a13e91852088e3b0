import type { GenerationParameters } from '../image/parameters.js'
import type { Tensor } from './tensor.js'

/** What is known about the origin of one embedding; empty if it came from elsewhere. */
export type EmbeddingOrigin = Partial<GenerationParameters>

/** The contents of `Embeddings` as plain data. Files and mixing read and make them. */
export interface EmbeddingParts {
  /** (images, channels, gridHeight, gridWidth) in Stage B's space. */
  tensor: Tensor
  /** The number of random normals drawn from each embedding's stream. */
  randomOffsets: readonly number[]
  origins: readonly EmbeddingOrigin[]
}
