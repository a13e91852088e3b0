import type { Redis, RedisOptions } from 'ioredis'
import type * as ioredis from 'ioredis'
import type { QueueAddress } from '../address.js'
import { outageOf } from '../reach.js'

/** All keys of a queue. The braces keep them in one slot of a cluster, as the scripts need it. */
export const PREFIX = '{wuerstchen}:'

/** What all names begin with under which something is told: they are those of all databases of a Redis together. */
export function channels({ options: { db = 0 } }: Redis): string {
  return db === 0 ? PREFIX : `${db}:${PREFIX}`
}

/** How long a command may take before whoever gave it is told that the queue cannot be reached; and one that moves files. */
const COMMAND_MS = 900
const FILES_MS = 30_000
const LONGEST_PAUSE_MS = 1000

/** How often it is asked whether a connection still has somebody at its other end, and how long that may take. */
const ASK_MS = 5000
const SILENT_MS = 8000
const FILES_SILENT_MS = 15_000

const patient = { maxRetriesPerRequest: null } satisfies RedisOptions
/** For requests of people: an answer at once, and not when the queue is there again. */
const prompt = { maxRetriesPerRequest: 0, enableOfflineQueue: false } satisfies RedisOptions

/** What somebody says who is not, or no longer, the one to write to. Where the address goes to by now can be another machine. */
const ELSEWHERE: readonly unknown[] = ['READONLY', 'MASTERDOWN', 'MOVED']

/**
 * A connection that comes back by itself whatever happens to the queue.
 * @param files whether it is there for files alone: these take their time, and nothing else is to wait for them
 */
export function connect(
  { Redis: Client }: Pick<typeof ioredis, 'Redis'>,
  { url }: QueueAddress,
  kind: 'prompt' | 'patient',
  files = false
): Redis {
  let left = -Infinity
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
    reconnectOnError(error) {
      if (!ELSEWHERE.includes(outageOf(error)) || performance.now() - left < ASK_MS) return false
      left = performance.now()
      return true
    },
    ...(kind === 'prompt' ? { ...prompt, commandTimeout: files ? FILES_MS : COMMAND_MS } : patient)
  } as RedisOptions)
  // Each command that fails says so to whoever gave it; without a listener the process would end.
  redis.on('error', error => {
    // The driver would go on in the first database, which may be somebody else's queue.
    if (isSelect(error)) redis.disconnect(true)
  })
  watch(redis, files ? FILES_SILENT_MS : SILENT_MS)
  return redis
}

/** Whether an error says that the connection could not get its own database. */
export function isSelect(error: unknown): boolean {
  return (error as { command?: { name?: string } }).command?.name === 'select'
}

/** TCP asks a machine that is gone for a quarter of an hour before it says so. */
function watch(redis: Redis, silentMs: number): void {
  let asking = false
  const ask = async () => {
    if (asking || redis.status !== 'ready') return
    asking = true
    const { stream } = redis
    let before = stream.bytesRead
    // The answer comes after what is on its way: as long as something comes, somebody is there.
    const check = () => {
      if (stream === redis.stream && redis.status === 'ready' && stream.bytesRead === before) redis.disconnect(true)
      before = stream.bytesRead
    }
    const timer = setInterval(check, silentMs)
    try {
      await redis.ping()
    } catch (error) {
      // Whoever says no is there.
      if ((error as Error).name !== 'ReplyError') check()
    } finally {
      clearInterval(timer)
      asking = false
    }
  }
  const timer = setInterval(() => void ask(), ASK_MS).unref()
  redis.once('end', () => clearInterval(timer))
}
