import type { FastifyInstance } from 'fastify'
import { refused } from '../jobs/failure.js'
import type { Charge } from '../jobs/held-bytes.js'
import type { Service } from '../service.js'
import { tooLarge } from './json-body.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** What a request that brings work holds. */
    charge: Charge | null
  }
}

/**
 * Refuses work before its body is read: when too much waits, so that the answer is quick and costs nothing, and when the
 * bodies and inputs that are held already take all the memory that they may. A body that does not say how long it is counts as
 * it comes.
 */
export function addAdmission(app: FastifyInstance, { jobs, held }: Service): void {
  app.decorateRequest('charge', null)
  app.addHook('preParsing', async (request, reply) => {
    const { bodyLimit, config } = request.routeOptions
    const bytes = Number(request.headers['content-length'] ?? 0)
    if (bytes > bodyLimit) throw tooLarge(bodyLimit)
    if (config.work !== true) return
    const refusal = await jobs.refusal(request.caller!.name)
    if (refusal !== undefined) throw refused(refusal)
    request.charge = held.open(request.caller!.name, reply.over)
    request.charge.growTo(bytes)
  })
}
