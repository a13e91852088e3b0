import { InvalidArgumentError } from 'commander'
import { invalid } from '../errors.js'
import type { Place } from '../server/index.js'

export interface PlaceFlags {
  listen?: Place
  host?: string
  port?: number
}

/** `HOST:PORT`, `[ADDRESS]:PORT` or `unix:FILE`. */
export function toPlace(text: string): Place {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) }
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || port === undefined)
    throw new InvalidArgumentError('It is none of HOST:PORT, [IPV6]:PORT and unix:FILE.')
  return { host, port: toPort(port) }
}

export function toPort(text: string): number {
  const port = readPort(text)
  if (port === undefined) throw new InvalidArgumentError('It is not a port from 0 to 65535.')
  return port
}

function readPort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

/**
 * Where to listen: flags, else WUERSTCHEN_HOST and WUERSTCHEN_PORT, else 127.0.0.1:8080. Kubernetes sets the second to `tcp://…` for
 * a service of this name, which is nobody's wish.
 * @param warn called with what is ignored
 * @param fallback the port where nothing says another one
 */
export function placeOf({ listen, host, port }: PlaceFlags, warn: (message: string) => void, fallback = 8080): Place {
  if (listen !== undefined) return listen
  const { WUERSTCHEN_HOST, WUERSTCHEN_PORT } = process.env
  return {
    host: host ?? (WUERSTCHEN_HOST || '127.0.0.1'),
    port: port ?? environmentPort(WUERSTCHEN_PORT || String(fallback), warn, fallback)
  }
}

function environmentPort(text: string, warn: (message: string) => void, fallback: number): number {
  if (/^(tcp|udp|sctp):\/\//i.test(text)) {
    warn(
      'WUERSTCHEN_PORT is the address of a Kubernetes service and no port: it is ignored. enableServiceLinks: false keeps it away'
    )
    return fallback
  }
  const port = readPort(text)
  if (port === undefined) throw invalid('WUERSTCHEN_PORT', 'a port from 0 to 65535', text)
  return port
}
