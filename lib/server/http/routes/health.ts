import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

/** Probes: they look at what is known already, and never load or wake anything. */
export function addHealth(app: FastifyInstance): void {
  app.get(
    '/livez',
    {
      config: {
        auth: 'public',
        operation: {
          id: 'live',
          summary: 'Whether the process answers',
          tag: 'health',
          replies: { 200: { description: 'It does.', content: { 'application/json': z.object({ status: z.literal('ok') }) } } }
        }
      }
    },
    async () => ({ status: 'ok' })
  )

  const readiness = z.object({ status: z.enum(['ready', 'loading', 'failed', 'stalled', 'draining']) })
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
            200: { description: 'Every model has made an image.', content: { 'application/json': readiness } },
            503: { description: 'Not now: status says why.', content: { 'application/json': readiness } }
          }
        }
      }
    },
    async (_, reply) => {
      const state = await app.wuerstchen.readiness()
      return reply.code(state.ready ? 200 : 503).send({ status: state.ready ? 'ready' : state.reason })
    }
  )
}
