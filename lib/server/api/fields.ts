import { z } from 'zod'
import { FORMAT_NAMES, LOSSY_FORMATS } from '../../internal.js'
import type { Call, ScalarName, Scalars } from '../../options/sampling.js'
import { rowOf, scalarsIn, textFor } from '../../options/scalars.js'
import { ANY_SEED } from '../../options/seed.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { levelFields } from './levels.js'
import { keepsResults } from './endpoint.js'
import { fieldName } from './field-name.js'
import { fieldsWithoutEffect } from './ignored.js'
import { qualityField } from './quality.js'
import { anySizeField, sizeField } from './size.js'
import { namedFiles, uploaded, uploadedOrNamed } from './upload.js'

/** What the fields of requests depend on. */
export interface FieldFacts {
  limits: Limits
  /** The models, and the names that requests may give for them. Left out where they come and go: each request is checked then. */
  known?: { models: readonly ModelFacts[]; names: readonly string[] }
  /** Whether what would be ignored is refused. */
  strict: boolean
}

/** Longer than the names that models may have, and those of aliases. */
const LONGEST_NAME = 200

/** The sides that any of the models makes. */
function sidesOf(models: readonly ModelFacts[], { maxSide }: Limits): number[] {
  return [...new Set(models.flatMap(model => model.sides))].filter(side => side <= maxSide).sort((a, b) => a - b)
}

/** The fields that requests are made of: OpenAI's names first, our own in snake_case beside them. Null means left out. */
export function fieldsOf({ limits, known, strict }: FieldFacts) {
  const name = known === undefined ? z.string().max(LONGEST_NAME) : z.enum(known.names)
  const withoutEffect = fieldsWithoutEffect(strict)
  const text = (description: string) => z.string().max(limits.maxPromptLength).describe(description)
  const seed = z
    .int()
    .min(ANY_SEED)
    .max(Number.MAX_SAFE_INTEGER - limits.maxImages)

  const shared = {
    model: name.nullish().describe('The model to use; the first one of /v1/models where it is left out.'),
    ...withoutEffect.everywhere,
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
  const size = known === undefined ? anySizeField() : sizeField(sidesOf(known.models, limits))
  const seeds = {
    n: z.int().min(1).max(limits.maxImages).nullish().describe('How many images.'),
    seed: seed
      .nullish()
      .describe('Image k is made with seed + k; drawn where it is left out or -1. The used seeds are in the reply.'),
    seeds: z.array(seed).min(1).max(limits.maxImages).nullish().describe('One seed an image, instead of n and seed.')
  }
  const output = {
    response_format: z
      .enum(keepsResults(limits) ? ['b64_json', 'url'] : ['b64_json'])
      .nullish()
      .describe(
        'b64_json: images come in the reply. url: the reply has addresses, which lead to the images for a while. Where it is left out, url for a model that is asked for as dall-e-2 or dall-e-3, else b64_json.'
      ),
    output_format: z.enum(FORMAT_NAMES).nullish().describe("The images' file format; png where it is left out."),
    output_compression: z
      .int()
      .min(0)
      .max(100)
      .nullish()
      .describe(`Quality of ${LOSSY_FORMATS.join(' and ')}; 90 where it is left out.`),
    background: z.enum(['auto', 'opaque']).nullish().describe('Images are opaque.'),
    quality: qualityField(known?.models ?? [], strict),
    ...withoutEffect.ofImages
  }
  const partialImages = z.int().min(0).max(3).nullish().describe('Previews of each image while it is made.')
  const streaming = {
    stream: z.boolean().nullish().describe('Send events while the images are made.'),
    partial_images: partialImages
  }
  const image = uploaded('A PNG, JPEG, WebP or AVIF image: a file, or its base64 with or without data: before it.')
  const images = namedFiles("The image, instead of image, as OpenAI's clients name it in JSON. One image a request.")
  const mask = uploadedOrNamed(
    "What to change. Of the image's own size. Where it is left out, what is transparent in the image changes, and all of an image without transparency."
  )
  const maskChanges = z
    .enum(['transparent', 'white'])
    .nullish()
    .describe(
      "What of the mask is to change: what is transparent, as in OpenAI's API, or what is white. transparent where it is left out. white without a mask: all of the image changes, whatever its transparency."
    )
  return {
    shared,
    size,
    seeds,
    /** The fields that the table of sampling parameters has for a call. */
    sampling: (call: Call) => samplingFields(call, limits),
    /** The lists of noise levels that a call takes. */
    levels: (call: Call) => levelFields(call, limits),
    output,
    streaming,
    partialImages,
    image,
    images,
    mask,
    maskChanges,
    prompt: text('What to draw.'),
    negativePrompt: text('What to avoid.').nullish()
  }
}

export type Fields = ReturnType<typeof fieldsOf>

/** Limits of this server that are stricter than the table's own bounds. */
const LIMITED: Readonly<Partial<Record<ScalarName, keyof Limits>>> = {
  priorSteps: 'maxPriorSteps',
  decoderSteps: 'maxDecoderSteps'
}

/** The call's parameters that requests have as fields of their own. */
export function fieldsIn(call: Call): ScalarName[] {
  return scalarsIn(call).filter(name => textFor(rowOf(name).field, call) !== undefined)
}

/** Typed as no fields at all: `samplingOf` reads them, and whoever adds a row to the table changes nothing here. */
function samplingFields(call: Call, limits: Limits): object {
  return Object.fromEntries(fieldsIn(call).map(name => [fieldName(name), fieldOf(name, call, limits)]))
}

function fieldOf(name: ScalarName, call: Call, limits: Limits): z.ZodType {
  const { check, field } = rowOf(name)
  const limit = LIMITED[name]
  const described = (type: z.ZodType) => type.nullish().describe(textFor(field, call)!)
  if (check.kind === 'choice') return described(z.enum(check.values))
  const most = limit === undefined ? check.most : limits[limit]
  return described((check.kind === 'integer' ? z.int() : z.number()).min(check.least).max(most))
}

/** What a body says of a call's parameters, by the library's names. */
export function samplingOf<Of extends Call>(call: Of, body: object): Scalars<Of> {
  const given = body as Readonly<Record<string, unknown>>
  const present = fieldsIn(call).filter(name => given[fieldName(name)] !== undefined && given[fieldName(name)] !== null)
  return Object.fromEntries(present.map(name => [name, given[fieldName(name)]])) as Scalars<Of>
}
