import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../observe/metrics.js'

/** Prometheus' text format. Reading it never loads a model. */
export function addMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    '/metrics',
    {
      config: {
        auth: 'admin',
        operation: {
          id: 'metrics',
          summary: 'Figures for Prometheus',
          tag: 'health',
          replies: { 200: { description: "Prometheus' text format.", content: { 'text/plain': 'text' } } },
          errors: [403]
        }
      }
    },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text())
  )
}
