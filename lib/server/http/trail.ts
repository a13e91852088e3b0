import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../observe/metrics.js'
import { CLIENT_GONE, failureOf, type Failure, type RequestEnd } from '../observe/request-end.js'
import { traceContextOf, traceparentOf, type TraceContext } from '../observe/trace-context.js'
import type { Tracing } from '../observe/tracing.js'
import { logRequest, logUnrouted, requestId } from './log.js'

/** What is known of a request on its way, for whoever is told of its end. */
export class Trail {
  readonly began = performance.now()
  /** Where it is in a distributed trace; null where nobody traces it. */
  trace: TraceContext | null = null
  failure: Failure | null = null
  /** The status that the parser of HTTP answered, if the rest of the request was no HTTP. */
  broken: number | null = null
  readonly #metrics: Metrics
  #streams = false

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** The reply is a stream of events. */
  stream(): void {
    this.#streams = true
    this.#metrics.streamOpened()
  }

  end(end: RequestEnd): void {
    if (this.#streams) this.#metrics.streamClosed()
    this.#metrics.request(end)
  }

  /** Keeps the error, for the line in the log and for the counts. */
  failed(error: unknown): void {
    this.failure = failureOf(error)
  }
}

const trails = new WeakMap<IncomingMessage, Trail>()
/** The request that a connection brought last. */
const latest = new WeakMap<Socket, IncomingMessage>()
/** Who observes what comes to a server and never to one of its routes. */
const observers = new WeakMap<object, Observer>()

export function trailOf({ raw }: FastifyRequest): Trail | undefined {
  return trails.get(raw)
}

/**
 * Tells the log, the metrics and the traces of the end of every request, whether it was answered, its client left or it never became
 * whole.
 * @param alone whether the server has all of its HTTP server for itself, and so what reaches none of its routes too
 */
export function addTrails(app: FastifyInstance, metrics: Metrics, tracing: Tracing | undefined, alone: boolean): void {
  const observer = new Observer(app, metrics, tracing)
  app.decorateRequest('job', null)
  app.addHook('onRequest', async (request, reply) => observer.begin(request, reply))
  if (!alone) return
  observers.set(app.server, observer)
  // Node answers some requests by itself: without a host, or with an expectation that it does not know.
  const channel = 'http.server.response.finish'
  const answered = (message: unknown) => {
    const { request, response, server } = message as { request: IncomingMessage; response: ServerResponse; server: Server }
    if (server !== app.server || trails.has(request)) return
    observer.unrouted(requestId(request), response.statusCode, request.socket, request.method)
  }
  subscribe(channel, answered)
  app.addHook('onClose', async () => {
    unsubscribe(channel, answered)
  })
}

/** Begins the trail of a request that comes to no route, such as one whose address cannot be decoded. */
export function ensureTrail(request: FastifyRequest, reply: FastifyReply): void {
  if (!trails.has(request.raw)) observers.get(request.server.server)?.begin(request, reply)
}

/** Bytes on a connection that were no HTTP: the request that they belong to has ended, or one that never became whole. */
export function endBroken(server: object, id: string, socket: Socket, status: number): void {
  const request = latest.get(socket)
  // The request before is complete: it has its own end.
  const trail = request === undefined || request.complete ? undefined : trails.get(request)
  if (trail === undefined) observers.get(server)?.unrouted(id, status, socket, undefined)
  else trail.broken = status
}

class Observer {
  readonly #app: FastifyInstance
  readonly #metrics: Metrics
  readonly #tracing: Tracing | undefined

  constructor(app: FastifyInstance, metrics: Metrics, tracing: Tracing | undefined) {
    this.#app = app
    this.#metrics = metrics
    this.#tracing = tracing
  }

  begin(request: FastifyRequest, reply: FastifyReply): void {
    const trail = new Trail(this.#metrics)
    const { raw } = request
    trails.set(raw, trail)
    latest.set(raw.socket, raw)
    void reply.header('x-request-id', request.id)
    const endSpan = this.#trace(request, reply, trail)
    const before = bytesOf(raw.socket)
    let after: number | undefined
    // Ahead of Node's own listener, which begins the next reply of the connection.
    reply.raw.prependOnceListener('finish', () => {
      after = bytesOf(raw.socket)
    })
    void (reply.over ?? closed(reply)).then(how => {
      const end: RequestEnd = {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: how === 'sent' ? reply.statusCode : (trail.broken ?? CLIENT_GONE),
        ms: performance.now() - trail.began,
        bytes: (after ?? bytesOf(raw.socket)) - before,
        key: request.caller?.name ?? null,
        failure: trail.failure
      }
      trail.end(end)
      endSpan(end)
      logRequest(request, end, trail.trace)
    })
  }

  /** A request that came to no route and had no reply of ours. */
  unrouted(id: string, status: number, socket: Socket, method: string | undefined): void {
    const end: RequestEnd = { method: method ?? null, route: null, status, ms: 0, bytes: 0, key: null, failure: null }
    this.#metrics.request(end)
    logUnrouted(this.#app, id, end, socket.remoteAddress)
  }

  #trace(request: FastifyRequest, reply: FastifyReply, trail: Trail): (end: RequestEnd) => void {
    const { method, url, host, ip, protocol, headers, raw, routeOptions } = request
    const caller = traceContextOf(headers)
    const traced = this.#tracing?.request(
      {
        method,
        path: url.split('?', 1)[0]!,
        route: routeOptions.url ?? null,
        scheme: protocol,
        host,
        httpVersion: raw.httpVersion,
        address: ip,
        userAgent: headers['user-agent']
      },
      caller
    )
    trail.trace = traced === undefined ? caller : traced.context
    if (trail.trace !== null) void reply.header('traceresponse', traceparentOf(trail.trace))
    return traced?.end ?? (() => {})
  }
}

function bytesOf(socket: Socket): number {
  // Where a request was injected there is no connection.
  return (socket as Partial<Socket>).bytesWritten ?? 0
}

function closed({ raw }: FastifyReply): Promise<'sent' | 'gone'> {
  return new Promise(resolve => {
    raw.once('close', () => resolve(raw.writableFinished ? 'sent' : 'gone'))
  })
}
