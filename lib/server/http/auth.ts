import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from '../api/error.js'
import type { ApiKeys } from '../keys/api-keys.js'
import { clientOf, isLocalName, isLocalSocket, isForwardedLocally, proxyHeader } from './client.js'
import type { Caller } from './context.js'

export interface AuthOptions {
  keys: ApiKeys | undefined
  allowUnauthenticated: boolean
  corsOrigins: readonly string[]
}

/** Who everybody is where no keys are set. */
const ANYBODY: Caller = { name: 'anybody', scope: 'admin', keyless: true }

/** Lets every route say who may call it, and asks for that before anything else of a request is looked at. */
export function addAuth(app: FastifyInstance, options: AuthOptions): void {
  const { keys } = options
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.auth === undefined) throw new Error(`The route ${String(method)} ${url} does not say who may call it`)
  })
  app.decorateRequest('caller', null)
  app.addHook('onRequest', async request => {
    const { auth } = request.routeOptions.config
    // What matches no route is answered with 404 to everybody.
    if (auth === 'public' || request.is404) return
    const caller = keys === undefined ? anybody(request, options) : callerOf(request, keys)
    if (auth === 'admin' && caller.scope !== 'admin')
      throw new ApiError({ status: 403, code: 'insufficient_scope' }, 'This key is not one for administration')
    request.caller = caller
  })
}

/** Of servers: a worker has probes and metrics alone. */
export function warnWithoutKeys(app: FastifyInstance, { keys, allowUnauthenticated }: AuthOptions): void {
  if (keys === undefined) app.log.warn(allowUnauthenticated ? WARNINGS.everybody : WARNINGS.thisMachine)
}

const WARNINGS = {
  everybody: 'There are no API keys: whoever can connect may do everything',
  thisMachine:
    'There are no API keys: whoever connects from this machine may do everything. A proxy here whose requests look like its own lets everybody in'
}

function callerOf({ headers: { authorization = '' }, routeOptions }: FastifyRequest, keys: ApiKeys): Caller {
  const given =
    /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? (routeOptions.config.basic === true ? passwordOf(authorization) : undefined)
  const key = given === undefined ? undefined : keys.find(given)
  if (key === undefined)
    throw new ApiError(
      { status: 401, code: 'invalid_api_key' },
      'Expected an API key of this server in the header Authorization: Bearer KEY'
    )
  return { name: key.name, scope: key.scope, keyless: false }
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

/** Without keys only this machine is served, whatever address the server was bound to. */
function anybody(request: FastifyRequest, { allowUnauthenticated, corsOrigins }: AuthOptions): Caller {
  if (!allowUnauthenticated) expectThisMachine(request)
  if (isFromElsewhere(request, corsOrigins))
    throw new ApiError({ status: 403, code: 'origin_not_allowed' }, 'Pages of this origin may not call this server')
  return ANYBODY
}

/**
 * The connection alone does not say it. A page from elsewhere can make its own name resolve to this machine, therefore the host
 * name counts too; and a proxy on this machine brings requests from anywhere.
 */
function expectThisMachine(request: FastifyRequest): void {
  const { host, forwarded } = clientOf(request)
  const header = proxyHeader(request)
  const direct = header === undefined
  if (isLocalSocket(request.socket) && isLocalName(host) && (direct || (forwarded && isForwardedLocally(request)))) return
  throw new ApiError(
    { status: 401, code: 'no_api_keys' },
    direct || forwarded
      ? 'This server has no API keys and therefore serves its own machine alone, by the names localhost and 127.0.0.1. Start it with API keys'
      : `This server has no API keys and therefore serves its own machine alone, but a proxy passed this request on (${header}). Start it with API keys`
  )
}

/** A browser sends forms to any address for any page, and keeps only the reply from it: the work would be done. */
function isFromElsewhere(request: FastifyRequest, allowed: readonly string[]): boolean {
  const { headers } = request
  const { origin } = headers
  if (origin === undefined) return headers['sec-fetch-site'] === 'cross-site'
  const { host } = clientOf(request)
  return !allowed.includes(origin) && origin !== `http://${host}` && origin !== `https://${host}`
}
