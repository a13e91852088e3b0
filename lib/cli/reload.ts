import type { FastifyInstance } from 'fastify'
import type { ApiKeys, TlsFiles } from '../server/index.js'
import { readIdentity, useIdentity } from '../server/http/tls.js'

/**
 * Reads the files of keys and of TLS again while the server runs. All of it takes effect, or nothing does.
 * @returns what the log is to say
 * @throws WuerstchenError INVALID_ARGUMENT for what cannot be used; the server keeps what it has
 */
export async function reload(server: FastifyInstance, keys: ApiKeys | undefined, tls: TlsFiles | undefined): Promise<object> {
  const identity = tls === undefined ? undefined : await readIdentity(tls)
  const count = await keys?.reload()
  if (identity === undefined) return { keys: count }
  if (identity.warning !== undefined) server.log.warn(identity.warning)
  useIdentity(server.server, identity)
  return { keys: count, validTo: identity.validTo }
}
