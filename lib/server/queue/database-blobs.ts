import type { QueueDatabase } from './database.js'
import type { Blobs, Side } from './blobs.js'

/** Files beside the jobs, in the queue's database: one hash for each side of a job, which goes with its record. */
export class DatabaseBlobs implements Blobs {
  readonly elsewhere = false
  readonly #database: QueueDatabase

  constructor(database: QueueDatabase) {
    this.#database = database
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void> {
    if (parts.size === 0) return
    const fields = [...parts].flatMap(([name, bytes]) => [name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
    // One command, and no transaction: of that, a connection that is cut would send the rest again on its own.
    await this.#database.run('put', side, job, ttlMs, ...fields)
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    if (names.length === 0) return new Map()
    const found = await this.#database.redis.hmgetBuffer(this.#key(job, side), ...names)
    return new Map(names.flatMap((name, index) => (found[index] ? [[name, found[index]] as const] : [])))
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#database.redis.hdel(this.#key(job, side), ...names)
  }

  #key(job: string, side: Side): string {
    return this.#database.key(`${side}:${job}`)
  }
}
