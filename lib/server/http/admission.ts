import type { FastifyInstance } from 'fastify'
import { ApiError } from '../api/error.js'
import type { Service } from '../service.js'
import { RETRY_AFTER_SECONDS } from '../api/statuses.js'

const REFUSALS = {
  full: { status: 503, code: 'queue_full', message: 'Too many requests are waiting' },
  share: { status: 429, code: 'queue_share_full', message: 'As many requests of this key are waiting as may wait' },
  draining: { status: 503, code: 'shutting_down', message: 'The server is shutting down' }
} as const

/**
 * Refuses work before its body is read: when too much waits, so that the answer is quick and costs nothing, and when the
 * bodies that are held already take all the memory that they may.
 */
export function addAdmission(app: FastifyInstance, { jobs, limits }: Service): void {
  let held = 0
  app.addHook('preParsing', async (request, reply) => {
    if (request.routeOptions.config.work !== true) return
    const bytes = expectedBytes(request.headers, limits.maxBodyBytes)
    if (bytes > limits.maxBodyBytes)
      throw refused(413, 'request_too_large', `Expected a body of at most ${limits.maxBodyBytes} bytes`)
    const refusal = jobs.refusal(request.caller!.name) ?? (held + bytes > limits.maxHeldBytes ? 'full' : undefined)
    if (refusal !== undefined) {
      const { status, code, message } = REFUSALS[refusal]
      throw refused(status, code, message)
    }
    held += bytes
    reply.raw.once('close', () => {
      held -= bytes
    })
  })
}

/** A body that does not say how long it is may be as long as any. */
function expectedBytes(
  headers: { 'content-length'?: string | undefined; 'transfer-encoding'?: string | undefined },
  most: number
): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : most
}

function refused(status: number, code: string, message: string): ApiError {
  return new ApiError({ status, code, ...(status === 413 ? {} : { retryAfter: RETRY_AFTER_SECONDS }) }, message)
}
