import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { ERROR_CODES } from '../../../errors.js'
import type { Duty } from '../../jobs/store.js'
import type { Service } from '../../service.js'

const STALLED = z
  .object({
    model: z.string().nullable(),
    stage: z.string().nullable().describe('The stage that the engine is in; null where the engine has no work.'),
    seconds: z.int().describe('How long nothing has been finished.')
  })
  .describe('The work that finishes nothing.')

const MODEL = z
  .object({
    id: z.string(),
    status: z.enum(['ready', 'loading', 'failed']),
    code: z.enum(ERROR_CODES).optional().describe('Why it cannot be loaded. The log has more.')
  })
  .describe('A model. One that was unloaded for want of work is ready; one that failed is tried again by itself.')

/** Probes: they look at what is known already, and wake nothing that has been loaded before. */
export function addHealth(app: FastifyInstance, service: Service<Duty>): void {
  app.get(
    '/livez',
    {
      config: {
        auth: 'public',
        operation: {
          id: 'live',
          summary: 'Whether the process works',
          tag: 'health',
          replies: {
            200: { description: 'It does.', content: { 'application/json': z.object({ status: z.literal('ok') }) } },
            503: {
              description: 'It has to be started again: nothing has been finished for twice as long as makes it not ready.',
              content: { 'application/json': z.object({ status: z.literal('stalled'), stalled: STALLED }) }
            }
          }
        }
      }
    },
    async (_, reply) => {
      const stalled = service.hung
      return stalled === undefined ? { status: 'ok' } : reply.code(503).send({ status: 'stalled', stalled })
    }
  )

  const ready = z.object({ status: z.literal('ready'), models: z.array(MODEL) })
  const notReady = z.object({
    status: z.enum(['loading', 'failed', 'stalled', 'draining']),
    models: z.array(MODEL).optional().describe('With loading and failed.'),
    stalled: STALLED.optional()
  })
  app.get(
    '/readyz',
    {
      config: {
        auth: 'public',
        operation: {
          id: 'ready',
          summary: 'Whether requests will be served',
          tag: 'health',
          replies: {
            200: {
              description: 'Every model has made an image or cannot be loaded, and one at least has.',
              content: { 'application/json': ready }
            },
            503: { description: 'Not now: status says why.', content: { 'application/json': notReady } }
          }
        }
      }
    },
    async (_, reply) => {
      // A server that never listens, for it only gets what others have received, is asked by whoever waits for it.
      void service.warmUp()
      const state = await service.readiness()
      if (state.ready) return { status: 'ready', models: state.models }
      const { ready: _ready, reason, ...facts } = state
      return reply.code(503).send({ status: reason, ...facts })
    }
  )
}
