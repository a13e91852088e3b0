import type { GenerationParameters } from '../image/parameters.js'
import type { Tensor } from './tensor.js'

/** What is known about how one embedding came to be; nothing for one from elsewhere. */
export type EmbeddingOrigin = Partial<GenerationParameters>

/** What `Embeddings` holds, as plain data: what files and mixing read and make. */
export interface EmbeddingParts {
  /** (images, channels, gridHeight, gridWidth) in Stage B's space. */
  tensor: Tensor
  /** Random normals that each embedding's stream has given away. */
  randomOffsets: readonly number[]
  origins: readonly EmbeddingOrigin[]
}
