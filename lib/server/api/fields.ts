import { z } from 'zod'
import { FORMAT_NAMES } from '../../image/formats.js'
import { DEFAULT_STRENGTH } from '../../plan/image-options.js'
import { LARGEST_GUIDANCE } from '../../plan/plan.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { uploaded } from './upload.js'

/** The fields that requests are put together from: OpenAI's names first, own ones in snake_case beside them. Null means left out. */
export function fieldsOf(limits: Limits, models: readonly ModelFacts[]) {
  const sides = [...new Set(models.flatMap(model => model.sides))].filter(side => side <= limits.maxSide).sort((a, b) => a - b)
  const side = `(${sides.join('|')})`
  const count = (most: number, description: string) => z.int().min(1).max(most).nullish().describe(description)
  const guidance = (description: string) => z.number().min(0).max(LARGEST_GUIDANCE).nullish().describe(description)
  const text = (description: string) => z.string().max(limits.maxPromptLength).describe(description)
  const seed = z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER - limits.maxImages)

  const shared = {
    model: z
      .enum(models.map(model => model.name))
      .nullish()
      .describe('The model to use; the first one of /v1/models where it is left out.'),
    user: z.string().max(256).nullish().describe('Whoever the request is made for; written to the log, and to nothing else.'),
    priority: z
      .enum(['low', 'normal', 'high'])
      .nullish()
      .describe('Moves a request before or behind others of the same API key; never before those of other keys.'),
    timeout_seconds: z
      .int()
      .min(1)
      .max(limits.timeoutSeconds)
      .nullish()
      .describe('Give the request up after this long, waiting or running.')
  }
  const size = z
    .string()
    .regex(new RegExp(`^(auto|${side}x${side})$`))
    .nullish()
    .describe("WIDTHxHEIGHT in pixels, or auto: the model's own size, or what is nearest to the picture sent.")
  const seeds = {
    n: count(limits.maxImages, 'How many pictures.'),
    seed: seed
      .optional()
      .describe('Picture k is made with seed + k; drawn where it is left out. The used seeds are in the reply.'),
    seeds: z.array(seed).min(1).max(limits.maxImages).optional().describe('One seed a picture, instead of n and seed.')
  }
  const prior = {
    prior_steps: count(limits.maxPriorSteps, "Equal steps of the prior; the model's own schedule where it is left out."),
    prior_guidance_scale: guidance('How closely the prior follows the prompt; works above 1.')
  }
  const decoder = {
    decoder_steps: count(limits.maxDecoderSteps, 'Steps of the decoder.'),
    decoder_guidance_scale: guidance('How closely the decoder follows the prompt; works above 1.')
  }
  const output = {
    response_format: z.enum(['b64_json']).nullish().describe('Pictures come in the reply; the server keeps no files to link to.'),
    output_format: z.enum(FORMAT_NAMES).nullish().describe("The pictures' file format; png where it is left out."),
    output_compression: z.int().min(0).max(100).nullish().describe('Quality of jpeg and webp; 90 where it is left out.'),
    background: z.enum(['auto', 'opaque']).nullish().describe('Pictures are opaque.'),
    quality: z.enum(['auto']).nullish().describe('There is one; prior_steps and decoder_steps trade time for detail.')
  }
  const partialImages = z.int().min(0).max(3).nullish().describe('Previews of each picture while it is made.')
  const streaming = {
    stream: z.boolean().nullish().describe('Send events while the pictures are made.'),
    partial_images: partialImages
  }
  const image = uploaded('A PNG, JPEG, WebP or AVIF picture: a file, or its base64 with or without data: before it.')
  const fit = z.enum(['cover', 'fill']).nullish().describe('cover cuts off what does not fit the size, fill stretches.')
  const maskChanges = z
    .enum(['transparent', 'white'])
    .nullish()
    .describe(
      "What of the mask is to change: what is transparent, as in OpenAI's API, or what is white. transparent where it is left out."
    )
  const strength = (fallback: string) =>
    z.number().min(0).max(1).nullish().describe(`0 keeps the picture, 1 nothing of it; ${fallback} where it is left out.`)

  return {
    shared,
    size,
    seeds,
    prior,
    decoder,
    output,
    streaming,
    partialImages,
    image,
    fit,
    maskChanges,
    prompt: text('What to draw.'),
    negativePrompt: text('What to avoid.').nullish(),
    varyStrength: strength(String(DEFAULT_STRENGTH.vary)),
    editStrength: strength(`${DEFAULT_STRENGTH.edit}, with a mask ${DEFAULT_STRENGTH.editWithMask}`)
  }
}

export type Fields = ReturnType<typeof fieldsOf>
