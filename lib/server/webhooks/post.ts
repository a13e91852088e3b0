import { lookup as lookUp } from 'node:dns'
import { request as requestHttp } from 'node:http'
import { request as requestHttps, type RequestOptions } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { hostOf, type AllowList } from './allow-list.js'

/** A receiver is asked for a status, and for nothing that would be worth more than this. */
const MOST_REPLY_BYTES = 64 * 1024

export interface PostOptions {
  allow: AllowList
  signal: AbortSignal
  /** Resolves names; Node's own unless a test has another. */
  lookUp?: typeof lookUp
  /** Certificates to trust instead of the well-known ones. */
  ca?: string
}

/** An address that a connection must not be opened to. */
class ForbiddenAddress extends Error {
  readonly code = 'FORBIDDEN_ADDRESS'
}

/**
 * Sends a message, and resolves to the status of the answer. No redirect is followed, and no connection is opened to an address
 * that is not public or in the list: what is checked is what is connected to, so a name that changes meanwhile gains nothing.
 */
export function post(url: URL, headers: Record<string, string>, body: string, options: PostOptions): Promise<number> {
  const { allow, signal, ca } = options
  return new Promise((resolve, reject) => {
    // Node looks up names alone, so an address has to be checked here.
    const host = hostOf(url)
    if (isIP(host) !== 0 && !allow.reaches(host)) return reject(new ForbiddenAddress(host))
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    const settings: RequestOptions = {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      // A connection of its own each time: what one receiver does to it is not for the next.
      agent: false,
      lookup: checkedLookup(options),
      // Not to be turned off by NODE_TLS_REJECT_UNAUTHORIZED, which was meant for something else.
      rejectUnauthorized: true,
      signal,
      ...(ca === undefined ? {} : { ca })
    }
    let status: number | undefined
    const message = request(url, settings, reply => {
      status = reply.statusCode
      let bytes = 0
      reply.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MOST_REPLY_BYTES) reply.destroy()
      })
      reply.on('error', settle).on('close', settle)
    })
    // The status is the answer, however its body ends. Other ends, such as a change of protocols, come without a status.
    message.on('error', settle).on('close', settle)
    function settle(error?: Error): void {
      if (status !== undefined) resolve(status)
      else reject(error ?? Object.assign(new Error('The connection ended'), { code: 'ECONNRESET' }))
    }
    message.end(body)
  })
}

/** Gives only addresses that may be connected to. */
function checkedLookup({ allow, lookUp: resolveName = lookUp }: PostOptions): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const allowed = addresses.filter(({ address }) => allow.reaches(address))
      const [first] = allowed
      if (first === undefined) callback(new ForbiddenAddress(hostname), [])
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}
