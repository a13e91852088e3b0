import { z } from 'zod'
import type { JobView } from '../jobs/store.js'
import type { JobResult, Work } from '../jobs/work.js'
import { countOf, defineEndpoint, given, seedsOf, sizeOf } from './endpoint.js'
import { samplingOf, type Fields } from './fields.js'
import { base64, type EMBEDDINGS_REPLY } from './replies.js'
import { IMAGE_IS_ENCODED, LEVELS_ALONE, ONE_OF, PROMPT_HAS_NO_FIT, request, SEEDS_ALONE } from './rules.js'
import { levelsOf } from './levels.js'
import { checkImage } from './upload.js'

/** A prompt or an image to embeddings: values to keep, mix, and decode many times. */
export function embeddingsEndpoint(fields: Fields) {
  const { shared, prompt, negativePrompt, size, seeds, sampling, levels, image } = fields
  return defineEndpoint({
    path: '/v1/image-embeddings',
    summary: 'Embeddings from a prompt or an image',
    schema: request(
      {
        prompt: prompt.nullish(),
        image: image.nullish(),
        encoding_format: z.enum(['base64', 'float']).nullish().describe('float adds the numbers themselves to the reply.'),
        negative_prompt: negativePrompt,
        size,
        ...seeds,
        ...sampling('encodeImage'),
        ...sampling('prior'),
        ...levels('prior'),
        ...shared
      },
      [ONE_OF('prompt', 'image'), IMAGE_IS_ENCODED, PROMPT_HAS_NO_FIT, SEEDS_ALONE, ...LEVELS_ALONE('prior')],
      "Embeddings from a prompt (the prior's), or from an image (the image encoder's)."
    ),
    async toWork(body, context): Promise<Work> {
      const model = context.model(body.model)
      if (body.image !== undefined && body.image !== null) {
        await checkImage('image', body.image, model, context.limits)
        return {
          kind: 'embedImage',
          model: model.name,
          images: 1,
          source: body.image,
          options: { ...sizeOf(body.size, model), ...samplingOf('encodeImage', body) }
        }
      }
      const images = countOf(body)
      return {
        kind: 'embedText',
        model: model.name,
        images,
        options: {
          prompt: body.prompt!,
          numImagesPerPrompt: images,
          ...sizeOf(body.size, model),
          ...given({ negativePrompt: body.negative_prompt }),
          ...seedsOf(body),
          ...samplingOf('prior', body),
          ...levelsOf('prior', body)
        }
      }
    }
  })
}

type Reply = z.infer<typeof EMBEDDINGS_REPLY>

export function embeddingsReply(
  { file, shape, values, seeds }: Extract<JobResult, { kind: 'embeddings' }>,
  { model, reply }: Pick<JobView, 'model' | 'reply'>,
  withNumbers: boolean
): Reply {
  const numbers = withNumbers ? { values } : {}
  return { object: 'list', model, data: base64(file), shape, ...numbers, seeds, ignored: [...reply.ignored] }
}
