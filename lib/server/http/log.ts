import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { LogController, type FastifyInstance, type FastifyRequest } from 'fastify'
import { toApiError } from '../api/statuses.js'
import type { RequestEnd } from '../observe/request-end.js'
import type { TraceContext } from '../observe/trace-context.js'
import type { QueueHooks } from '../queue/patience.js'
import type { ServiceHooks } from '../service.js'
import type { StallHooks } from '../watchdog.js'
import { clientOf, outerRequest } from './client.js'
import type { TrustedProxies } from './proxies.js'

/** Fastify's own two lines a request are left out: they would hold its whole address, and say nothing of who it was for. */
export const logController = new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' })

/** Nothing that could break out of a header, a log line or a file name. */
const SOUND = /^[A-Za-z0-9._-]{1,128}$/

/**
 * The id that a request brings in x-request-id, where it is sound; else that of the application around, or a new one. Where there
 * are trusted proxies, only they may say which id a request has.
 */
export function requestId(raw: IncomingMessage, proxies?: TrustedProxies): string {
  const given = raw.headers['x-request-id']
  const outer = outerRequest(raw)
  const believed =
    outer === undefined
      ? proxies === undefined || proxies.trusts(raw.socket.remoteAddress)
      : outer.ips === undefined || outer.ips.length > 1
  if (believed && typeof given === 'string' && SOUND.test(given)) return given
  return outer !== undefined && SOUND.test(outer.id) ? outer.id : randomUUID()
}

/** Tells of work that failed through a fault of the server, with the error itself: what the store keeps of it are facts. */
export function logFailed(app: FastifyInstance, job: string, error: unknown): void {
  if (toApiError(error).status >= 500) app.log.error({ err: error, job }, 'work failed')
}

/** One line for each try to load a model that failed. */
export function loadLog(app: FastifyInstance): Pick<ServiceHooks, 'loadFailed'> {
  return {
    loadFailed: (model, error, retryMs) =>
      app.log.error({ err: error, model, retrySeconds: retryMs / 1000 }, 'a model cannot be loaded')
  }
}

/** One line when the queue cannot do its work, and one when it can again. */
export function queueLog(app: FastifyInstance): QueueHooks {
  return {
    queueAway: reason => app.log.warn({ reason }, 'the queue is away: what was made is kept until it is back'),
    queueBack: () => app.log.info('the queue is back')
  }
}

/** One line when nothing is finished any more, and one when something is again. */
export function stallLog(app: FastifyInstance): StallHooks {
  return {
    stalled: (stall, { running, withoutResult }) => app.log.error({ ...stall, jobs: running, withoutResult }, 'work has stalled'),
    recovered: stall => app.log.warn(stall, 'work goes on')
  }
}

/**
 * One line a request, when it is over; nothing of what it asked for. Probes are told at the level `debug`. The ids of a trace
 * have OpenTelemetry's names for log lines.
 */
export function logRequest(request: FastifyRequest, end: RequestEnd, trace: TraceContext | null): void {
  const { job, routeOptions, log } = request
  const line = {
    ...factsOf(end, clientOf(request).address),
    ...job,
    ...(trace === null ? {} : { trace_id: trace.traceId, span_id: trace.spanId, trace_flags: trace.flags })
  }
  log[routeOptions.config?.auth === 'public' ? 'debug' : 'info'](line, 'request')
}

/** A request that came to no route: its id is for this line and its reply alone. */
export function logUnrouted(app: FastifyInstance, requestId: string, end: RequestEnd, ip: string | undefined): void {
  app.log.info({ requestId, ...factsOf(end, ip) }, 'request')
}

function factsOf({ method, route, status, ms, bytes, key, failure }: RequestEnd, ip: string | undefined) {
  return {
    method,
    route,
    status,
    ms: Math.round(ms),
    bytes,
    ip: ip ?? null,
    ...(key === null ? {} : { key }),
    ...(failure === null ? {} : { error: failure.code })
  }
}
