import type { FastifyInstance } from 'fastify'
import { ApiError } from '../api/error.js'
import { refused } from '../jobs/failure.js'
import type { Charge } from '../jobs/held-bytes.js'
import type { Service } from '../service.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** What a request that brings work holds. */
    charge: Charge | null
  }
}

/**
 * Refuses work before its body is read: when too much waits, so that the answer is quick and costs nothing, and when the
 * bodies and inputs that are held already take all the memory that they may.
 */
export function addAdmission(app: FastifyInstance, { jobs, limits, held }: Service): void {
  app.decorateRequest('charge', null)
  app.addHook('preParsing', async (request, reply) => {
    if (request.routeOptions.config.work !== true) return
    const bytes = expectedBytes(request.headers, limits.maxBodyBytes)
    if (bytes > limits.maxBodyBytes)
      throw new ApiError({ status: 413, code: 'request_too_large' }, `Expected a body of at most ${limits.maxBodyBytes} bytes`)
    const refusal = await jobs.refusal(request.caller!.name)
    if (refusal !== undefined) throw refused(refusal)
    request.charge = held.charge(bytes, reply.over)
  })
}

/** A body that does not say how long it is may be as long as any. */
function expectedBytes(
  headers: { 'content-length'?: string | undefined; 'transfer-encoding'?: string | undefined },
  most: number
): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : most
}
