import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../observe/metrics.js'
import { CLIENT_GONE, failureOf, type Failure, type RequestEnd } from '../observe/request-end.js'
import { traceContextOf, traceparentOf, type TraceContext } from '../observe/trace-context.js'
import type { Tracing } from '../observe/tracing.js'
import { clientOf } from './client.js'
import { logRequest, logUnrouted, requestId } from './log.js'

/** What is known of a request on its way, for whoever is told of its end. */
export class Trail {
  readonly began = performance.now()
  /** Where it is in a distributed trace; null where nobody traces it. */
  trace: TraceContext | null = null
  failure: Failure | null = null
  readonly #metrics: Metrics
  #streams = false
  #ended = false

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** The reply is a stream of events. Its client may have left before it begins. */
  stream(): void {
    if (this.#ended) return
    this.#streams = true
    this.#metrics.streamOpened()
  }

  end(end: RequestEnd): void {
    this.#ended = true
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
/** What was answered to a request whose body was no HTTP. */
const broken = new WeakMap<IncomingMessage, number>()
/** The bytes of a connection's replies that are complete. */
const sent = new WeakMap<Socket, number>()
/** Who observes what comes to a server and never to one of its routes. */
const observers = new WeakMap<object, Observer>()

export function trailOf({ raw }: FastifyRequest): Trail | undefined {
  return trails.get(raw)
}

/**
 * Tells the log, the metrics and the traces of the end of every request, whether it was answered, its client left or it never
 * became whole.
 */
export function addTrails(app: FastifyInstance, metrics: Metrics, tracing: Tracing | undefined): void {
  const observer = new Observer(app, metrics, tracing)
  app.decorateRequest('job', null)
  app.addHook('onRequest', async (request, reply) => observer.begin(request, reply))
  observers.set(app.server, observer)
  const begun = (message: unknown) => {
    const { request, server } = message as HttpMessage
    // At once: the body that breaks it can be in the same packet.
    if (server === app.server) latest.set(request.socket, request)
  }
  const answered = (message: unknown) => {
    const { request, response, server } = message as HttpMessage
    // Node answers some requests by itself: without a host, or with an expectation that it does not know.
    if (server !== app.server || trails.has(request)) return
    observer.unrouted(requestId(request), response.statusCode, request.socket, request.method)
  }
  subscribe(BEGUN, begun)
  subscribe(ANSWERED, answered)
  app.addHook('onClose', async () => {
    unsubscribe(BEGUN, begun)
    unsubscribe(ANSWERED, answered)
  })
}

/** Channels of Node's HTTP servers, all of them in the process. */
const [BEGUN, ANSWERED] = ['http.server.request.start', 'http.server.response.finish'] as const

interface HttpMessage {
  request: IncomingMessage
  response: ServerResponse
  server: Server
}

/** Begins the trail of a request that comes to no route, such as one whose address cannot be decoded. */
export function ensureTrail(request: FastifyRequest, reply: FastifyReply): void {
  if (!trails.has(request.raw)) observers.get(request.server.server)?.begin(request, reply)
}

/** Bytes on a connection that were no HTTP: the request that they belong to has ended, or one that never became whole. */
export function endBroken(server: object, id: string, socket: Socket, status: number): void {
  const request = latest.get(socket)
  // A request that is complete has an end of its own, and the bytes after it are another.
  if (request === undefined || request.complete) observers.get(server)?.unrouted(id, status, socket, undefined)
  else broken.set(request, status)
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
    void reply.header('x-request-id', request.id)
    const endSpan = this.#trace(request, reply, trail)
    const atBegin = bytesOf(raw.socket)
    let bytes: number | undefined
    const count = () => {
      const [before, after] = [Math.max(atBegin, sent.get(raw.socket) ?? 0), bytesOf(raw.socket)]
      sent.set(raw.socket, after)
      return (bytes = after - before)
    }
    // Ahead of Node's own listener, which begins the next reply of the connection.
    reply.raw.prependOnceListener('finish', count)
    void (reply.over ?? closed(reply)).then(() => {
      const end: RequestEnd = {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: bytes === undefined ? (broken.get(raw) ?? CLIENT_GONE) : reply.statusCode,
        ms: performance.now() - trail.began,
        bytes: bytes ?? count(),
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
    const { method, url, headers, raw, routeOptions } = request
    const { address, host, protocol } = clientOf(request)
    const caller = traceContextOf(headers)
    const traced = this.#tracing?.request(
      {
        method,
        path: url.split('?', 1)[0]!,
        route: routeOptions.url ?? null,
        scheme: protocol,
        host,
        httpVersion: raw.httpVersion,
        address,
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

function closed({ raw }: FastifyReply): Promise<unknown> {
  return new Promise(resolve => {
    raw.once('close', resolve)
  })
}
