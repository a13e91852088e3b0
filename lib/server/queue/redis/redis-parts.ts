import type { Redis } from 'ioredis'
import type { Side } from '../blobs.js'
import type { Parts } from '../queue-database.js'
import { PREFIX } from './redis-connection.js'
import type { Scripts } from './scripts.js'

/** One hash for each side of a job. */
export class RedisParts implements Parts {
  readonly #redis: Redis
  readonly #scripts: Scripts

  constructor(redis: Redis, scripts: Scripts) {
    this.#redis = redis
    this.#scripts = scripts
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void> {
    const fields = [...parts].flatMap(([name, bytes]) => [name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
    // One command, and no transaction: of that, a connection that is cut would send the rest again on its own.
    await this.#scripts.run('put', side, job, ttlMs, ...fields)
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = await this.#redis.hmgetBuffer(`${PREFIX}${side}:${job}`, ...names)
    return new Map(names.flatMap((name, index) => (found[index] ? [[name, found[index]] as const] : [])))
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    await this.#redis.hdel(`${PREFIX}${side}:${job}`, ...names)
  }
}
