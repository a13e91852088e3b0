import type * as aws4fetch from 'aws4fetch'
import type * as bullmq from 'bullmq'
import type * as ioredis from 'ioredis'
import type { Redis, RedisOptions } from 'ioredis'
import { WuerstchenError } from '../../errors.js'
import type { QueueAddress } from './address.js'

/** The packages that a queue needs. They are optional: whoever runs one process installs none of them. */
export interface Drivers {
  bullmq: Pick<typeof bullmq, 'Queue' | 'Worker'>
  ioredis: Pick<typeof ioredis, 'Redis'>
}

/** @throws WuerstchenError INVALID_ARGUMENT where a package is missing */
export async function loadDrivers(): Promise<Drivers> {
  const [queues, redis] = await installed(
    () => Promise.all([import('bullmq'), import('ioredis')]),
    'queue',
    'Expected the packages bullmq and ioredis for queue but they are not installed. npm install bullmq@6 ioredis@5 adds them'
  )
  return { bullmq: queues, ioredis: redis }
}

/** @throws WuerstchenError INVALID_ARGUMENT where the package is missing */
export async function loadSigner(): Promise<typeof aws4fetch.AwsV4Signer> {
  const { AwsV4Signer } = await installed(
    () => import('aws4fetch'),
    'results',
    'Expected the package aws4fetch for results in s3:// but it is not installed. npm install aws4fetch@1 adds it'
  )
  return AwsV4Signer
}

async function installed<T>(load: () => Promise<T>, subject: string, missing: string): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new WuerstchenError('INVALID_ARGUMENT', missing, { subject, cause: error })
  }
}

/** How long a command may take before whoever gave it is told that the queue cannot be reached. */
const COMMAND_MS = 900
const LONGEST_PAUSE_MS = 1000

const patient = { maxRetriesPerRequest: null } satisfies RedisOptions
/** For requests of people: an answer at once, and not when the queue is there again. */
const prompt = { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_MS } satisfies RedisOptions

/** A connection that comes back by itself whatever happens to the queue. */
export function connect({ ioredis: { Redis: Client } }: Drivers, { url }: QueueAddress, kind: 'prompt' | 'patient'): Redis {
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
