import { Embeddings } from '../../index.js'
import { embeddingChannels, pixelsOf } from '../../internal.js'
import { WuerstchenError } from '../../errors.js'
import type { Work } from '../jobs/work.js'
import type { ModelFacts } from '../models/model.js'
import { defineEndpoint, fileOf, given, seedsOf, type Context } from './endpoint.js'
import { invalidField } from './error.js'
import { samplingOf, type Fields } from './fields.js'
import type { Mode } from './images.js'
import { levelsOf } from './levels.js'
import { COMPRESSION_HAS_FORMAT, LEVELS_ALONE, LINKS_DO_NOT_STREAM, PRESET_ALONE, request, SEEDS_WITHOUT_SEED } from './rules.js'
import { uploaded } from './upload.js'

/** Embeddings to images: the second half of what a prompt goes through, as often as one likes. */
export function decodeEndpoint(fields: Fields, mode: Mode) {
  const {
    shared,
    prompt,
    negativePrompt,
    seeds: { seed, seeds },
    sampling,
    levels,
    output,
    streaming: { stream }
  } = fields
  const schema = request(
    {
      embeddings: uploaded(
        'A safetensors file as /v1/image-embeddings gives it, or its base64: one image for each embedding in it.'
      ),
      prompt: prompt.nullish().describe('What the decoder is told; what the embeddings were made from where it is left out.'),
      negative_prompt: negativePrompt,
      seed,
      seeds: seeds.describe('One seed an embedding, instead of seed. With neither, decoding goes on where the prior stopped.'),
      ...shared,
      ...sampling('decode'),
      ...levels('decode'),
      ...output,
      ...(mode === 'stream' ? { stream } : ({} as { stream: typeof stream }))
    },
    [
      SEEDS_WITHOUT_SEED,
      PRESET_ALONE,
      COMPRESSION_HAS_FORMAT,
      ...LEVELS_ALONE('decode'),
      ...(mode === 'stream' ? [LINKS_DO_NOT_STREAM] : [])
    ],
    'Embeddings to images.'
  )
  return defineEndpoint({
    path: '/v1/image-embeddings/decode',
    summary: 'Images from embeddings',
    schema,
    async toWork(body, context): Promise<Work> {
      const model = context.model(body.model)
      const images = await countEmbeddings(body.embeddings, model, context)
      if (body.seeds !== undefined && body.seeds !== null && body.seeds.length !== images)
        throw invalidField('seeds', 'invalid_value', `Expected ${images} seeds, one an embedding, for seeds`)
      return {
        kind: 'decode',
        model: model.name,
        images,
        embeddings: body.embeddings,
        file: fileOf(body),
        options: {
          ...given({ prompt: body.prompt, negativePrompt: body.negative_prompt }),
          ...seedsOf(body),
          ...samplingOf('decode', body),
          ...levelsOf('decode', body)
        }
      }
    }
  })
}

/** How many there are, once they are known to be sound, of a size that may be made, and finite. */
async function countEmbeddings(file: Buffer, model: ModelFacts, { limits }: Context): Promise<number> {
  const refuse = (detail: string) =>
    invalidField('embeddings', 'invalid_embeddings', `Expected a safetensors file with embeddings for embeddings but ${detail}`)
  let embeddings: Embeddings
  try {
    embeddings = await Embeddings.load(file)
  } catch (error) {
    // What cannot be read at all may say so; a failing addon is another matter.
    if (WuerstchenError.is(error, 'INVALID_ARGUMENT')) throw refuse('it is none that can be read')
    throw error
  }
  using sound = embeddings
  const [images, channels, gridHeight, gridWidth] = sound.tensor.shape as [number, number, number, number]
  if (channels !== embeddingChannels(model.manifest)) throw refuse(`they have ${channels} channels, which the model has not`)
  if (images > limits.maxImages) throw refuse(`it has ${images}, more than ${limits.maxImages}`)
  for (const grid of [gridHeight, gridWidth]) {
    const side = pixelsOf(grid, model.manifest.constants)
    if (side === undefined || side > limits.maxSide) throw refuse('they are of a size that cannot be made')
  }
  using floats = await sound.tensor.to('float32')
  if (!((await floats.data()) as Float32Array).every(Number.isFinite)) throw refuse('some of its numbers are not finite')
  return images
}
