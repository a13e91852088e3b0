import type { Redis, RedisOptions } from 'ioredis'
import type * as ioredis from 'ioredis'
import type { QueueAddress } from '../address.js'

/** All keys of a queue. The braces keep them in one slot of a cluster, as the scripts need it. */
export const PREFIX = '{wuerstchen}:'

/** How long a command may take before whoever gave it is told that the queue cannot be reached. */
const COMMAND_MS = 900
const LONGEST_PAUSE_MS = 1000

const patient = { maxRetriesPerRequest: null } satisfies RedisOptions
/** For requests of people: an answer at once, and not when the queue is there again. */
const prompt = { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_MS } satisfies RedisOptions

/** A connection that comes back by itself whatever happens to the queue. */
export function connect(
  { Redis: Client }: Pick<typeof ioredis, 'Redis'>,
  { url }: QueueAddress,
  kind: 'prompt' | 'patient'
): Redis {
  const redis = new Client({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    connectTimeout: 5000,
    keepAlive: 5000,
    retryStrategy: attempts => Math.min(50 * 2 ** attempts, LONGEST_PAUSE_MS),
    ...(kind === 'prompt' ? prompt : patient)
  } as RedisOptions)
  // Each command that fails says so to whoever gave it; without a listener the process would end.
  redis.on('error', () => {})
  return redis
}
