import type { Parts } from './queue-database.js'
import type { Blobs, Side } from './blobs.js'

/** Files beside the jobs, in the queue's database: those of each side of a job go with its record. */
export class DatabaseBlobs implements Blobs {
  readonly elsewhere = false
  readonly place = 'queue'
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void> {
    if (parts.size > 0) await this.#parts.put(job, side, parts, ttlMs)
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    return names.length === 0 ? new Map() : this.#parts.get(job, side, names)
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#parts.drop(job, side, names)
  }
}
