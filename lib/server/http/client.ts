import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** Who a request is from, as far as it can be believed. */
export interface Client {
  /** Undefined over a unix socket. */
  address: string | undefined
  /** The host name that the client used, with its port. */
  host: string
  protocol: 'http' | 'https'
  /** Whether a proxy that is trusted says this. */
  forwarded: boolean
  /** The path below which a trusted proxy has the server: empty, or `/draw`. */
  prefix: string
}

/** Requests of an application around this server, by Node's own: what it trusts, and what it calls a request, counts here too. */
const outerRequests = new WeakMap<IncomingMessage, FastifyRequest>()

export function setOuterRequest(request: FastifyRequest): void {
  outerRequests.set(request.raw, request)
}

export function outerRequest(raw: IncomingMessage): FastifyRequest | undefined {
  return outerRequests.get(raw)
}

export function clientOf(inner: FastifyRequest): Client {
  const request = outerRequest(inner.raw) ?? inner
  // Fastify has one address here if the connection is from nobody that it trusts.
  const forwarded = (request.ips ?? []).length > 1
  return {
    address: (forwarded ? readAddress(request.ip) : undefined) ?? request.socket.remoteAddress,
    host: request.host,
    protocol: request.protocol === 'https' ? 'https' : 'http',
    forwarded,
    prefix: forwarded ? readPrefix(request.headers['x-forwarded-prefix']) : ''
  }
}

/** The path of an address of this server as its clients know it. */
export function publicPath(request: FastifyRequest, path: string): string {
  return clientOf(request).prefix + request.server.prefix + path
}

/** The same for a client of another machine, or for one that does not know which server it asked. */
export function publicAddress(request: FastifyRequest, path: string): string {
  const { protocol, host } = clientOf(request)
  return `${protocol}://${host}${publicPath(request, path)}`
}

/** Some proxies add the port. What is no address is no client's, and must not get into the log. */
function readAddress(text: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? []
  const address = bracketed ?? plain ?? text
  return isIP(address) === 0 ? undefined : address
}

/** Nothing that could lead to another host, as `//elsewhere` would. */
function readPrefix(text: string | string[] | undefined): string {
  const prefix = typeof text === 'string' ? text.trim().replace(/\/$/, '') : ''
  return /^(\/[A-Za-z0-9._~-]+)+$/.test(prefix) ? prefix : ''
}

/** Headers that proxies add to what they pass on. */
const OF_PROXIES =
  /^(forwarded(-for)?|via|x-forwarded(-.+)?|x-real-ip|(x-|true-)client-ip|x-cluster-client-ip|x-original-(forwarded-for|host|url)|cdn-loop|cf-.+|fastly-.+|fly-.+|x-envoy-.+|x-appengine-.+|x-azure-.+)$/

/** A header that says that the request was passed on by somebody. */
export function proxyHeader({ headers }: FastifyRequest): string | undefined {
  return Object.keys(headers).find(name => OF_PROXIES.test(name))
}

/** Whether all that a request was passed on for are on this machine. Whoever is trusted may pass on what others only say. */
export function isForwardedLocally({ headers }: FastifyRequest): boolean {
  return String(headers['x-forwarded-for'])
    .split(',')
    .every(address => isLoopback(readAddress(address.trim())))
}

/**
 * Whether both ends of a connection are on this machine. A socket whose client has left has forgotten where that was, and one
 * of a network still knows its own address then.
 */
export function isLocalSocket({ remoteAddress, localAddress, destroyed }: Socket): boolean {
  if (remoteAddress === undefined) return localAddress === undefined && destroyed !== true
  return isLoopback(remoteAddress) && (localAddress === undefined || isLoopback(localAddress))
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (/^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address) || address === '::1')
}

/** A host name, with or without a port, that means this machine. */
export function isLocalName(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)(:\d+)?$/i.test(host)
}
