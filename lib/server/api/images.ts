import type { Work } from '../jobs/work.js'
import { countOf, defineEndpoint, fileOf, given, seedsOf, sizeOf, type Seeds } from './endpoint.js'
import type { Call } from '../../options/sampling.js'
import { samplingOf, type Fields } from './fields.js'
import {
  COMPRESSION_HAS_FORMAT,
  LEVELS_ALONE,
  LINKS_DO_NOT_STREAM,
  NEEDED_UNDER_ONE_NAME,
  PRESET_ALONE,
  PREVIEWS_STREAM,
  request,
  SEEDS_ALONE
} from './rules.js'
import { levelsOf } from './levels.js'
import { checkImage } from './upload.js'

/** `stream` for requests that wait for their images, `job` for those that ask for them later. */
export type Mode = 'stream' | 'job'

/** OpenAI's three image endpoints. */
export function imageEndpoints(fields: Fields, mode: Mode) {
  return [generations(fields, mode), edits(fields, mode), variations(fields, mode)] as const
}

function common(fields: Fields, call: Call, mode: Mode) {
  const events = mode === 'stream' ? fields.streaming : { partial_images: fields.partialImages }
  const { shared, size, seeds, sampling, levels, output } = fields
  return { ...shared, size, ...seeds, ...sampling(call), ...levels(call), ...output, ...events }
}

function rules(mode: Mode, call: Call) {
  const always = [SEEDS_ALONE, PRESET_ALONE, COMPRESSION_HAS_FORMAT, ...LEVELS_ALONE(call)]
  return mode === 'stream' ? [...always, PREVIEWS_STREAM, LINKS_DO_NOT_STREAM] : always
}

function generations(fields: Fields, mode: Mode) {
  return defineEndpoint({
    path: '/v1/images/generations',
    summary: 'Images from a prompt',
    schema: request(
      { prompt: fields.prompt, negative_prompt: fields.negativePrompt, ...common(fields, 'generate', mode) },
      rules(mode, 'generate'),
      'Images from a prompt.'
    ),
    toWork(body, context): Work {
      const model = context.model(body.model)
      const images = countOf(body)
      return {
        kind: 'generate',
        model: model.name,
        images,
        file: fileOf(body),
        previews: body.partial_images ?? 0,
        options: {
          prompt: body.prompt,
          numImagesPerPrompt: images,
          ...sizeOf(body.size, model),
          ...seedsAndTexts(body),
          ...samplingOf('generate', body),
          ...levelsOf('generate', body)
        }
      }
    }
  })
}

function edits(fields: Fields, mode: Mode) {
  const own = {
    image: fields.image.nullish(),
    images: fields.images.nullish(),
    mask: fields.mask.nullish(),
    mask_changes: fields.maskChanges,
    prompt: fields.prompt,
    negative_prompt: fields.negativePrompt
  }
  return defineEndpoint({
    path: '/v1/images/edits',
    summary: 'An image changed to what a prompt says',
    schema: request(
      { ...own, ...common(fields, 'edit', mode) },
      [...NEEDED_UNDER_ONE_NAME('image', 'images'), ...rules(mode, 'edit')],
      'An image changed to what a prompt says, with a mask or transparency only there.'
    ),
    async toWork(body, context): Promise<Work> {
      const model = context.model(body.model)
      // The schema has seen to it that one of them is there.
      const image = (body.image ?? body.images)!
      await checkImage(Buffer.isBuffer(body.image) ? 'image' : 'images', image, model, context.limits)
      if (body.mask !== undefined && body.mask !== null) await checkImage('mask', body.mask, model, context.limits)
      const changes = body.mask_changes ?? 'transparent'
      return {
        kind: 'edit',
        model: model.name,
        images: countOf(body),
        file: fileOf(body),
        previews: body.partial_images ?? 0,
        source: image,
        ...(body.mask ? { mask: { file: body.mask, changes } } : changes === 'transparent' ? { ownMask: true } : {}),
        options: {
          prompt: body.prompt,
          n: countOf(body),
          ...sizeOf(body.size, model),
          ...seedsAndTexts(body),
          ...samplingOf('edit', body),
          ...levelsOf('edit', body)
        }
      }
    }
  })
}

function variations(fields: Fields, mode: Mode) {
  const { image } = fields
  const own = { image, prompt: fields.prompt.nullish(), negative_prompt: fields.negativePrompt }
  return defineEndpoint({
    path: '/v1/images/variations',
    summary: 'Images near an image',
    schema: request(
      { ...own, ...common(fields, 'vary', mode) },
      rules(mode, 'vary'),
      'Images near an image; at strength 0 what the model keeps of it.'
    ),
    async toWork(body, context): Promise<Work> {
      const model = context.model(body.model)
      await checkImage('image', body.image, model, context.limits)
      return {
        kind: 'vary',
        model: model.name,
        images: countOf(body),
        file: fileOf(body),
        previews: body.partial_images ?? 0,
        source: body.image,
        options: {
          n: countOf(body),
          ...sizeOf(body.size, model),
          ...seedsAndTexts(body),
          ...samplingOf('vary', body),
          ...levelsOf('vary', body),
          ...given({ prompt: body.prompt })
        }
      }
    }
  })
}

function seedsAndTexts(body: Seeds & { negative_prompt?: string | null | undefined }) {
  return { ...given({ negativePrompt: body.negative_prompt }), ...seedsOf(body) }
}
