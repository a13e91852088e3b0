import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from '../api/error.js'
import { findKey, type ApiKey } from './keys.js'
import type { Caller } from './context.js'

export interface AuthOptions {
  keys: readonly ApiKey[]
  allowUnauthenticated: boolean
  corsOrigins: readonly string[]
}

/** Who everybody is where no keys are set. */
const ANYBODY: Caller = { name: 'anybody', scope: 'admin' }

/** Lets every route say who may call it, and asks for that before anything else of a request is looked at. */
export function addAuth(app: FastifyInstance, options: AuthOptions): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.auth === undefined) throw new Error(`The route ${String(method)} ${url} does not say who may call it`)
  })
  app.decorateRequest('caller', null)
  app.addHook('onRequest', async request => {
    const { auth } = request.routeOptions.config
    // What matches no route is answered with 404 to everybody.
    if (auth === 'public' || request.is404) return
    const caller = options.keys.length > 0 ? callerOf(request, options.keys) : anybody(request, options)
    if (auth === 'admin' && caller.scope !== 'admin')
      throw new ApiError({ status: 403, code: 'insufficient_scope' }, 'This key is not one for administration')
    request.caller = caller
  })
}

function callerOf({ headers: { authorization = '' }, routeOptions }: FastifyRequest, keys: readonly ApiKey[]): Caller {
  const given =
    /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? (routeOptions.config.basic === true ? passwordOf(authorization) : undefined)
  const key = given === undefined ? undefined : findKey(keys, given)
  if (key === undefined)
    throw new ApiError(
      { status: 401, code: 'invalid_api_key' },
      'Expected an API key of this server in the header Authorization: Bearer KEY'
    )
  return { name: key.name, scope: key.scope }
}

/**
 * The password of Basic authentication. No reply asks for it: a browser would send it again for pages of others, which then could
 * ask for work.
 */
function passwordOf(authorization: string): string | undefined {
  const [, credentials] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization) ?? []
  if (credentials === undefined) return undefined
  const text = Buffer.from(credentials, 'base64').toString()
  return text.includes(':') ? text.slice(text.indexOf(':') + 1) : undefined
}

/**
 * Without keys only this machine is served, whatever address the server was bound to. The host name is checked too:
 * a page from elsewhere can make its own name resolve to this machine, and a proxy can bring requests from anywhere.
 */
function anybody(request: FastifyRequest, { allowUnauthenticated, corsOrigins }: AuthOptions): Caller {
  const { socket, host } = request
  if (!allowUnauthenticated && !(isLoopback(socket.localAddress) && isLoopback(socket.remoteAddress) && isLocalName(host))) {
    throw new ApiError(
      { status: 401, code: 'no_api_keys' },
      'This server has no API keys and therefore serves its own machine alone, by the names localhost and 127.0.0.1'
    )
  }
  if (isFromElsewhere(request, corsOrigins))
    throw new ApiError({ status: 403, code: 'origin_not_allowed' }, 'Pages of this origin may not call this server')
  return ANYBODY
}

/** A browser sends forms to any address for any page, and keeps only the reply from it: the work would be done. */
function isFromElsewhere({ headers, host }: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin } = headers
  if (origin === undefined) return headers['sec-fetch-site'] === 'cross-site'
  return !allowed.includes(origin) && origin !== `http://${host}` && origin !== `https://${host}`
}

/** Undefined: the request did not come over a network at all. */
function isLoopback(address: string | undefined): boolean {
  return address === undefined || /^(::ffff:)?127\./.test(address) || address === '::1'
}

/** A host name, with or without a port, that means this machine. */
export function isLocalName(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)(:\d+)?$/i.test(host)
}
