import type * as pg from 'pg'
import type { ClientBase, ClientConfig, Pool } from 'pg'
import type { QueueAddress } from '../address.js'
import { TICKET_SCHEMA } from './prepare.js'

/** How long a statement may take before whoever gave it is told that the queue cannot be reached. */
const PROMPT_MS = 900
const PATIENT_MS = 30_000
const CONNECT_MS = 5000
/** Making or changing tables. */
const PREPARE_MS = 10_000

/**
 * Connections of a server, and of a worker, which has less to ask; and those for files, which take their time, so that nothing
 * else has to wait for them. Each process has one more, on which it listens.
 */
const MOST_CONNECTIONS = { prompt: 7, patient: 4, files: 3 }

/** What connects to the queue's database. Nothing of it is in an error. */
export function clientConfig({ url }: QueueAddress): ClientConfig {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const secure = ['require', 'verify-full'].includes(url.searchParams.get('sslmode') ?? '')
  return {
    host,
    port: Number(url.port || 5432),
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    database: decodeURIComponent(url.pathname.slice(1)),
    // The name is checked, too, also where it is an address: the driver leaves it out then.
    ssl: secure ? { host } : false,
    application_name: 'wuerstchen',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000
  }
}

function settings(ms: number): string {
  return [
    // BullMQ's statements find their tables by the path.
    `SET search_path TO ${TICKET_SCHEMA}`,
    // A step sees what was there when it got the lock, whatever the database does by default.
    `SET default_transaction_isolation TO 'read committed'`,
    // What nobody waits for any more ends in the database too.
    `SET statement_timeout TO ${2 * ms}`
  ].join('; ')
}

/** One connection for what takes longer than anything that a request waits for. */
export async function withClient<T>(
  { Client: Connection }: Pick<typeof pg, 'Client'>,
  address: QueueAddress,
  act: (client: ClientBase) => Promise<T>
): Promise<T> {
  const client = new Connection({ ...clientConfig(address), query_timeout: PREPARE_MS })
  // Cut while nothing is asked: the next question says so.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(settings(PREPARE_MS))
    return await act(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Connections that are made again whatever happens to the queue. */
export function openPool(
  { Pool: Connections }: Pick<typeof pg, 'Pool'>,
  address: QueueAddress,
  kind: keyof typeof MOST_CONNECTIONS
): Pool {
  const ms = kind === 'prompt' ? PROMPT_MS : PATIENT_MS
  const pool = new Connections({
    ...clientConfig(address),
    connectionTimeoutMillis: Math.min(ms, CONNECT_MS),
    max: MOST_CONNECTIONS[kind],
    query_timeout: ms,
    // It waits for the answer, although its types do not say so.
    onConnect: (client => client.query(settings(ms))) as (client: ClientBase) => void
  })
  // A connection that is cut while nobody uses it says so here. Without a listener the process would end.
  pool.on('error', () => {})
  return pool
}
