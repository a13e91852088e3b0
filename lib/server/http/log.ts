import { LogController, type FastifyInstance } from 'fastify'

/** Fastify's own two lines a request are left out: they would hold its whole address, and say nothing of who it was for. */
export const logController = new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' })

/** One line a request, when it is answered; nothing of what it asked for. Probes are told at the level `debug`. */
export function addLog(app: FastifyInstance): void {
  app.decorateRequest('job', null)
  app.addHook('onResponse', async (request, reply) => {
    const {
      method,
      caller,
      ip,
      routeOptions: { url, config }
    } = request
    const line = {
      method,
      route: url ?? null,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      ip,
      ...(caller === null ? {} : { key: caller.name }),
      ...request.job
    }
    request.log[config.auth === 'public' ? 'debug' : 'info'](line, 'request')
  })
}
