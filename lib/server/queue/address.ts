import { WuerstchenError } from '../../errors.js'

/** Where the queue is. The text of an address may hold a password: it goes to the driver and nowhere else. */
export interface QueueAddress {
  readonly url: URL
  /** The host and the port alone, for people. */
  readonly shown: string
}

/** Each kind of database by the protocol of its address: its port, and what may come after host and port. */
const REDIS = { port: 6379, path: /^\/?\d{0,3}$/, query: /^$/ }
const POSTGRES = { port: 5432, path: /^\/[^/]+$/, query: /^(\?sslmode=(disable|require|verify-full))?$/ }
const KINDS: Readonly<Record<string, typeof REDIS>> = {
  ...{ 'redis:': REDIS, 'rediss:': REDIS },
  ...{ 'postgres:': POSTGRES, 'postgresql:': POSTGRES }
}

/** @throws WuerstchenError INVALID_ARGUMENT, which does not quote the address */
export function queueAddress(value: unknown): QueueAddress {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const kind = url === undefined ? undefined : KINDS[url.protocol]
  const sound = url !== undefined && kind !== undefined && url.hostname !== '' && url.hash === ''
  if (!sound || !kind.path.test(url.pathname) || !kind.query.test(url.search) || !isDecodable(url))
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      'Expected redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE] or ' +
        'postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE[?sslmode=disable|require|verify-full] for queue but it is something else',
      { subject: 'queue' }
    )
  return { url, shown: `${url.protocol}//${url.hostname}:${url.port || kind.port}` }
}

export function isPostgres({ url }: QueueAddress): boolean {
  return KINDS[url.protocol] === POSTGRES
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}
