import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { DEFAULT_STRENGTH } from '../../../options/sampling.js'
import { rowOf, SCALAR_NAMES } from '../../../options/scalars.js'
import { fieldName } from '../../api/fields.js'
import type { ModelFacts } from '../../models/model.js'

/** The parameters of requests whose defaults are the model's own. */
const DEFAULTS = SCALAR_NAMES.filter(name => rowOf(name).modelDefault !== undefined && rowOf(name).field !== null)

const MODEL = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  state: z.enum(['unloaded', 'loading', 'ready', 'failed']),
  license: z.string(),
  hash: z.string().describe('SHA-256 of its manifest.'),
  reads_images: z.boolean(),
  sides: z.array(z.int()).describe('Widths and heights that it makes, in pixels.'),
  default_size: z.string(),
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

/** OpenAI's list of models, the default one first, with what one needs to know to ask for an image. */
export function addModels(app: FastifyInstance): void {
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
    async () => {
      const { models, limits } = app.wuerstchen
      const data = models.all.map(
        ({ name, license, hash, readsImages, sides, defaults }): z.infer<typeof MODEL> => ({
          id: name,
          object: 'model',
          created: 0,
          owned_by: 'wuerstchen',
          state: models.slot(name).state,
          license,
          hash,
          reads_images: readsImages,
          sides: sides.filter(side => side <= limits.maxSide),
          default_size: `${defaults.width}x${defaults.height}`,
          ...defaultsOf(defaults),
          default_vary_strength: DEFAULT_STRENGTH.vary,
          default_edit_strength: DEFAULT_STRENGTH.edit,
          default_masked_edit_strength: DEFAULT_STRENGTH.editWithMask
        })
      )
      return { object: 'list', data }
    }
  )
}
