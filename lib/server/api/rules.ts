import { z } from 'zod'
import { LOSSY_FORMATS } from '../../internal.js'
import type { Call } from '../../options/sampling.js'
import { fieldName } from './field-name.js'
import { fieldsIn } from './fields.js'
import { levelFieldNames, levelsAndSteps } from './levels.js'

interface Rule {
  /** The field that is to blame. */
  param: string
  /** A whole sentence, for whoever sent the request. */
  message: string
  /** Whether what is wrong is that the field is not there. */
  missing?: boolean
  holds(body: Record<string, unknown>): boolean
  /**
   * The same for readers of the OpenAPI document. null: the descriptions of its fields say it. Tools that make requests from
   * schemas give up where several alternatives have to hold at once.
   */
  schema: Record<string, unknown> | null
}

const GIVEN = { not: { type: 'null' } }

/** Where `field` has a value, none of the others may have one. */
const WITHOUT = (field: string, ...others: string[]): Rule => ({
  param: field,
  message: `Expected nothing of ${others.join(', ')} beside ${field}`,
  holds: body => !isGiven(body[field]) || !others.some(other => isGiven(body[other])),
  schema: { not: { anyOf: others.map(other => ({ required: [field, other], properties: { [field]: GIVEN, [other]: GIVEN } })) } }
})

/** Where `field` has a value other than `free`, which asks for nothing, `other` must have one of `values`. */
const NEEDS = (field: string, free: unknown, other: string, values: readonly unknown[]): Rule => ({
  param: field,
  message: `Expected ${String(free)} for ${field} unless ${other} is ${values.join(' or ')}`,
  holds: body => !isGiven(body[field]) || body[field] === free || values.includes(body[other]),
  schema: {
    anyOf: [{ properties: { [field]: { enum: [free, null] } } }, { required: [other], properties: { [other]: { enum: values } } }]
  }
})

export const SEEDS_ALONE = WITHOUT('seeds', 'seed', 'n')
export const SEEDS_WITHOUT_SEED = WITHOUT('seeds', 'seed')
/** What the image encoder has no use for, and the prior none for. */
export const IMAGE_IS_ENCODED = WITHOUT(
  'image',
  ...['n', 'seed', 'seeds', 'negative_prompt'],
  ...levelFieldNames('prior'),
  ...fieldsIn('prior').map(fieldName)
)
export const PROMPT_HAS_NO_FIT = WITHOUT('prompt', ...fieldsIn('encodeImage').map(fieldName))
export const LEVELS_ALONE = (call: Call): Rule[] => levelsAndSteps(call).map(([levels, steps]) => WITHOUT(levels, steps))
// 100 and 0 are OpenAI's defaults, which some clients send with every request.
export const COMPRESSION_HAS_FORMAT = NEEDS('output_compression', 100, 'output_format', LOSSY_FORMATS)
export const PREVIEWS_STREAM = NEEDS('partial_images', 0, 'stream', [true])
/** Events carry the images themselves, as those of OpenAI do. */
export const LINKS_DO_NOT_STREAM: Rule = {
  param: 'response_format',
  message: 'Expected b64_json for response_format where stream is true',
  holds: body => body['response_format'] !== 'url' || body['stream'] !== true,
  schema: null
}

/** Both say how much work goes into an image. auto says nothing. */
export const PRESET_ALONE: Rule = {
  param: 'quality',
  message: 'Expected auto for quality beside preset',
  holds: ({ preset, quality }) => !isGiven(preset) || !isGiven(quality) || quality === 'auto',
  schema: null
}

/** A file is required, under this name or in a list under the other one, as in OpenAI's JSON. */
export const NEEDED_UNDER_ONE_NAME = (field: string, other: string): Rule[] => [
  {
    param: field,
    message: `Expected a value for ${field}`,
    missing: true,
    holds: body => isGiven(body[field]) || isGiven(body[other]),
    schema: null
  },
  WITHOUT(other, field)
]

/** Exactly one of the two has a value. */
export const ONE_OF = (field: string, other: string): Rule => ({
  param: field,
  message: `Expected either ${field} or ${other}`,
  holds: body => isGiven(body[field]) !== isGiven(body[other]),
  schema: { oneOf: [field, other].map(name => ({ required: [name], properties: { [name]: { type: 'string' } } })) }
})

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** A request's schema: these fields and no others, and what holds between them. */
export function request<Shape extends z.core.$ZodShape>(shape: Shape, rules: readonly Rule[], description: string) {
  return z
    .strictObject(shape)
    .superRefine((body, context) => {
      for (const { param, message, missing = false, holds } of rules) {
        if (holds(body as Record<string, unknown>)) continue
        const about = { message, path: [param], input: undefined }
        context.addIssue(missing ? { ...about, code: 'invalid_type', expected: 'string' } : { ...about, code: 'custom' })
      }
    })
    .meta({ description, ...(rules.length === 0 ? {} : { allOf: schemasOf(rules) }) })
}

/** What must not be stands in one place: tools that make requests from schemas do not find a way through several of them. */
function schemasOf(rules: readonly Rule[]): Record<string, unknown>[] {
  const schemas = rules.flatMap(({ schema }) => (schema === null ? [] : [schema]))
  const forbidden = schemas.flatMap(({ not }) => (not === undefined ? [] : ((not as { anyOf?: unknown[] }).anyOf ?? [not])))
  const rest = schemas.filter(({ not }) => not === undefined)
  return forbidden.length === 0 ? rest : [{ not: { anyOf: forbidden } }, ...rest]
}
