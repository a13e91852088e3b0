import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Nothing that could break out of a header, a log line or a file name. */
const SOUND = /^[A-Za-z0-9._-]{1,128}$/

/** The id that a request brings in x-request-id, where it is sound; else a new one. */
export function requestId({ headers }: { headers: IncomingMessage['headers'] }): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && SOUND.test(given) ? given : randomUUID()
}
