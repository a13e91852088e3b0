import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { presetNames, presetValues } from '../../../internal.js'
import { DEFAULT_STRENGTH, SAMPLERS, type Preset } from '../../../options/sampling.js'
import { rowOf, SCALAR_NAMES } from '../../../options/scalars.js'
import { unknownModel } from '../../api/error.js'
import { fieldName } from '../../api/field-name.js'
import type { ModelFacts } from '../../models/model.js'

/** The parameters of requests whose defaults are the model's own. */
const DEFAULTS = SCALAR_NAMES.filter(name => rowOf(name).modelDefault !== undefined && rowOf(name).field !== null)

const SAMPLER = z.enum(SAMPLERS)
const PRESET = z.object({ prior_sampler: SAMPLER, prior_steps: z.int(), decoder_sampler: SAMPLER, decoder_steps: z.int() })

function presetFacts({ manifest }: ModelFacts, name: Preset): z.infer<typeof PRESET> {
  const { priorSampler, priorSteps, decoderSampler, decoderSteps } = presetValues(manifest, name)
  return { prior_sampler: priorSampler, prior_steps: priorSteps, decoder_sampler: decoderSampler, decoder_steps: decoderSteps }
}

const MODEL = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  alias_of: z.string().nullable().describe('The model that the name means, where it is another name of one.'),
  state: z.enum(['unloaded', 'loading', 'ready', 'failed']),
  license: z.string(),
  hash: z.string().describe('SHA-256 of its manifest.'),
  reads_images: z.boolean(),
  sides: z.array(z.int()).describe('Widths and heights that it makes, in pixels.'),
  default_size: z.string(),
  presets: z
    .object({ reference: PRESET, balanced: PRESET.optional(), fast: PRESET.optional() })
    .describe('What requests may name as preset.'),
  ...Object.fromEntries(DEFAULTS.map(name => [defaultName(name), rowOf(name).check.kind === 'integer' ? z.int() : z.number()])),
  default_vary_strength: z.number(),
  default_edit_strength: z.number(),
  default_masked_edit_strength: z.number()
})

function defaultName(name: string): string {
  return `default_${fieldName(name)}`
}

function defaultsOf(defaults: ModelFacts['defaults']): Record<string, number> {
  return Object.fromEntries(DEFAULTS.map(name => [defaultName(name), rowOf(name).modelDefault!(defaults)]))
}

const PARAMS = z.strictObject({ id: z.string().min(1).describe('A name in /v1/models.') })

/** OpenAI's list of models, the default one first, with what one needs to know to ask for an image. */
export function addModels(app: FastifyInstance): void {
  const { models, limits } = app.wuerstchen

  /** A model, by its own name or by another one. */
  const describe = (id: string): z.infer<typeof MODEL> | undefined => {
    const facts = models.find(id)
    if (facts === undefined) return undefined
    const { name, license, hash, readsImages, sides, defaults } = facts
    return {
      id,
      object: 'model',
      created: 0,
      owned_by: 'wuerstchen',
      alias_of: id === name ? null : name,
      state: models.slot(name).state,
      license,
      hash,
      reads_images: readsImages,
      sides: sides.filter(side => side <= limits.maxSide),
      default_size: `${defaults.width}x${defaults.height}`,
      presets: Object.fromEntries(presetNames(facts.manifest).map(preset => [preset, presetFacts(facts, preset)])) as z.infer<
        typeof MODEL
      >['presets'],
      ...defaultsOf(defaults),
      default_vary_strength: DEFAULT_STRENGTH.vary,
      default_edit_strength: DEFAULT_STRENGTH.edit,
      default_masked_edit_strength: DEFAULT_STRENGTH.editWithMask
    }
  }

  app.get(
    '/v1/models',
    {
      config: {
        auth: 'use',
        operation: {
          id: 'listModels',
          summary: 'The models of this server',
          tag: 'models',
          replies: {
            200: {
              description: 'The first one is used where a request names none.',
              content: { 'application/json': z.object({ object: z.literal('list'), data: z.array(MODEL) }) }
            }
          }
        }
      }
    },
    async () => ({ object: 'list', data: models.names.map(name => describe(name)!) })
  )

  app.get(
    '/v1/models/:id',
    {
      schema: { params: PARAMS },
      config: {
        auth: 'use',
        operation: {
          id: 'getModel',
          summary: 'One model',
          tag: 'models',
          params: PARAMS,
          replies: { 200: { description: 'The model.', content: { 'application/json': MODEL } } },
          errors: [400, 404]
        }
      }
    },
    async request => {
      const model = describe((request.params as z.infer<typeof PARAMS>).id)
      if (model !== undefined) return model
      throw unknownModel('model')
    }
  )
}
