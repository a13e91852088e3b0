import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { ApiError } from '../api/error.js'
import type { Limits } from '../limits.js'
import type { RequestCounter } from '../service.js'
import { clientOf } from './client.js'

/**
 * Counts the requests for work of each key, over all routes together; without keys, of each client's address.
 * @param counter where servers count that share a queue; one that cannot be reached refuses nobody
 */
export async function addRateLimit(app: FastifyInstance, { requestsPerMinute }: Limits, counter?: RequestCounter): Promise<void> {
  if (requestsPerMinute === 0) return
  const shared = counter === undefined ? {} : { store: storeOf(counter), skipOnError: true }
  await app.register(rateLimit, { global: false, ...shared })
  const limit = app.rateLimit({
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: request => (request.caller!.keyless ? (clientOf(request).address ?? 'unix') : request.caller!.name),
    errorResponseBuilder: (_, { ttl }) =>
      new ApiError(
        { status: 429, code: 'rate_limit_exceeded', retryAfter: Math.ceil(ttl / 1000) },
        'Too many requests of this key in this minute'
      )
  })
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.config.work === true) await limit.call(this, request, reply)
  })
}

/** The plugin makes its stores itself, of a class. */
function storeOf(counter: RequestCounter) {
  return class Shared implements FastifyRateLimitStore {
    incr(key: string, done: (error: Error | null, result?: { current: number; ttl: number }) => void, windowMs: number): void {
      counter.count(key, windowMs).then(
        counted => done(null, counted),
        (error: unknown) => done(error as Error)
      )
    }

    child(): FastifyRateLimitStore {
      return this
    }
  }
}
