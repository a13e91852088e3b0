import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

const STALLED = z
  .object({
    model: z.string().nullable(),
    stage: z.string().nullable().describe('The stage that the engine is in; null where the engine has no work.'),
    seconds: z.int().describe('How long nothing has been finished.')
  })
  .describe('The work that finishes nothing.')

/** Probes: they look at what is known already, and never load or wake anything. */
export function addHealth(app: FastifyInstance): void {
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
      const stalled = app.wuerstchen.hung
      return stalled === undefined ? { status: 'ok' } : reply.code(503).send({ status: 'stalled', stalled })
    }
  )

  const ready = z.object({ status: z.literal('ready') })
  const notReady = z.object({ status: z.enum(['loading', 'failed', 'stalled', 'draining']), stalled: STALLED.optional() })
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
            200: { description: 'Every model has made an image.', content: { 'application/json': ready } },
            503: { description: 'Not now: status says why.', content: { 'application/json': notReady } }
          }
        }
      }
    },
    async (_, reply) => {
      const state = await app.wuerstchen.readiness()
      if (state.ready) return { status: 'ready' }
      return reply.code(503).send({ status: state.reason, ...('stalled' in state ? { stalled: state.stalled } : {}) })
    }
  )
}
