import { z } from 'zod'
import { show, WuerstchenError } from '../errors.js'
import type { EmbeddingOrigin, EmbeddingParts } from './embedding-parts.js'
import { PARTIAL_PARAMETERS } from '../image/parameters-schema.js'
import { mostRandomOffset } from './random-offset.js'
import { parseJson, type JsonBounds } from '../files/json.js'
import { MOST_IMAGES, MOST_STEPS } from '../options/sampling.js'
import { decodeSafetensors, encodeSafetensors, readSafetensors } from './safetensors.js'

/** Names of the tensor and of the metadata entry in a file of embeddings. */
const TENSOR = 'embeddings'
const METADATA = 'wuerstchen'

/** The name of Stage B's space. Files name their space, and those that name another are refused. */
export const SPACE = 'e'

const ORIGIN = z.object({ randomOffset: z.number().int().min(0), origin: PARTIAL_PARAMETERS })

/** Origins of as many embeddings as a call can decode, each with the timesteps of two stages. */
const ORIGINS_BOUNDS: JsonBounds = { depth: 16, values: MOST_IMAGES * 2 * (MOST_STEPS + 100), items: MOST_IMAGES }

/** The bytes of a safetensors file with embeddings and their origins. */
export async function encodeEmbeddings(embeddings: EmbeddingParts, dtype?: 'float32' | 'float16'): Promise<Buffer> {
  const origins = embeddings.origins.map((origin, index) => ({ randomOffset: embeddings.randomOffsets[index], origin }))
  const { tensor } = embeddings
  const metadata = { [METADATA]: JSON.stringify(origins), space: SPACE }
  if (dtype === undefined || dtype === tensor.dtype) return encodeSafetensors({ [TENSOR]: tensor }, metadata)
  using converted = await tensor.to(dtype)
  return await encodeSafetensors({ [TENSOR]: converted }, metadata)
}

/**
 * Reads embeddings from a file, or from a file's bytes.
 * @throws WuerstchenError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export async function readEmbeddings(source: string | Uint8Array): Promise<EmbeddingParts> {
  const [where, subject] = typeof source === 'string' ? [source, source] : ['the given bytes', 'file']
  const { tensors, metadata } =
    typeof source === 'string' ? await readSafetensors(source, [TENSOR]) : decodeSafetensors(Buffer.from(source), [TENSOR])
  const tensor = tensors[TENSOR]!
  // Stage C's z is smaller by a factor of 42. Decoded as e, it would give a grey haze instead of an error.
  if (metadata['space'] !== undefined && metadata['space'] !== SPACE) {
    tensor.dispose()
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected embeddings in Stage B's space e in ${where} but the file says that they are in the space ${show(metadata['space'])}`,
      { subject }
    )
  }
  try {
    return { tensor, ...readOrigins(parseJson(metadata[METADATA] ?? '[]', ORIGINS_BOUNDS), tensor.shape) }
  } catch (error) {
    tensor.dispose()
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected embeddings with sound metadata in ${where} but it is not: ${(error as Error).message.slice(0, 200)}`,
      {
        subject,
        cause: error
      }
    )
  }
}

/** One after the other, so that the first that is wrong is the only one that is complained about. */
function readOrigins(entries: unknown, [, ...shape]: readonly number[]): Pick<EmbeddingParts, 'randomOffsets' | 'origins'> {
  if (!Array.isArray(entries)) throw new Error('it is no list')
  const most = mostRandomOffset(shape.reduce((product, size) => product * size, 1))
  const parsed = entries.map(entry => ORIGIN.parse(entry))
  const wrong = parsed.find(({ randomOffset }) => randomOffset > most)
  if (wrong !== undefined) throw new Error(`its randomOffset ${wrong.randomOffset} is above ${most}, the most that a prior draws`)
  return {
    randomOffsets: parsed.map(({ randomOffset }) => randomOffset),
    origins: parsed.map(({ origin }) => origin as EmbeddingOrigin)
  }
}
