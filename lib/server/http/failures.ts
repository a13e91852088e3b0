import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'
import { ApiError } from '../api/error.js'
import { toApiError } from '../api/statuses.js'
import { CLIENT_GONE } from '../observe/request-end.js'
import { endBroken, ensureTrail, trailOf } from './trail.js'

/** Answers whatever goes wrong on a route with OpenAI's error JSON, and what leads to none. */
export function addFailures(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ method, url }) => {
    const known = methods.get(url) ?? new Set()
    methods.set(url, known)
    for (const each of [method].flat()) known.add(each)
  })
  app.setErrorHandler(sendError)
  const answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0]!
    const allowed = [...methods].filter(([pattern]) => matches(pattern, path)).flatMap(([, known]) => [...known])
    if (allowed.length === 0)
      return sendError(new ApiError({ status: 404, code: 'unknown_url' }, 'There is nothing at this address'), request, reply)
    void reply.header('allow', allowed.join(', '))
    const methodless = { status: 405, code: 'method_not_allowed' }
    return sendError(new ApiError(methodless, `Expected one of the methods ${allowed.join(', ')}`), request, reply)
  }
  app.setNotFoundHandler(answer)
  // Before its body is read: whoever has no key could have the server read, and hold, as much as it may.
  app.addHook('onRequest', async (request, reply) => (request.is404 ? answer(request, reply) : undefined))
}

/**
 * Also for what fails before a route is found, such as an address that cannot be decoded.
 * @param body what the reply says; OpenAI's form where it is left out
 */
export function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  body: (error: ApiError) => object = answer => answer.toJSON()
): FastifyReply {
  const answer = toApiError(error)
  ensureTrail(request, reply)
  trailOf(request)?.failed(error)
  // Of a job that failed, the facts; its error was logged where it ran.
  if (answer.status >= 500)
    request.log.error({ err: answer === error ? (answer.cause ?? error) : error, job: request.job?.job }, 'request failed')
  return send(reply, answer, body(answer))
}

function send(reply: FastifyReply, error: ApiError, body: object = error.toJSON()): FastifyReply {
  if (error.retryAfter !== undefined) void reply.header('retry-after', error.retryAfter)
  if (error.shouldRetry !== undefined) void reply.header('x-should-retry', String(error.shouldRetry))
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer')
  // Explicit, for a route that sends images may have chosen another.
  return reply.code(error.status).type('application/json; charset=utf-8').send(body)
}

const MALFORMED: Record<string, [status: string, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large']
}

/** Bytes that are no HTTP request get an answer and lose their connection. Fastify binds its own instance. */
export function refuseMalformed(this: FastifyInstance, error: NodeJS.ErrnoException, socket: Socket): void {
  // A connection that is reset brought no request, or one that has an end of its own.
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, message] = MALFORMED[error.code ?? ''] ?? ['400 Bad Request', 'The request is no HTTP']
  const code = Number(status.slice(0, 3))
  const body = JSON.stringify(new ApiError({ status: code, code: 'malformed_request' }, message))
  const id = randomUUID()
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n${body}`
    )
  // Who ends its side in the middle of a request has left.
  endBroken(this.server, id, socket, error.code === 'HPE_INVALID_EOF_STATE' ? CLIENT_GONE : code)
  socket.destroySoon()
}

/** Whether an address is of a route, whose parameters begin with a colon and whose rest may be a star. */
function matches(pattern: string, path: string): boolean {
  if (pattern === '*') return false
  const expected = pattern.split('/')
  const parts = path.split('/')
  return (
    parts.length === expected.length &&
    expected.every((part, index) => (part.startsWith(':') ? parts[index] !== '' : part === parts[index]))
  )
}
