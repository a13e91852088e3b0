import type { Side } from '../blobs.js'
import type { Parts } from '../queue-database.js'
import { whole, type Asking } from './asking.js'
import { SCHEMA } from './prepare.js'

export class PostgresParts implements Parts {
  readonly #asking: Asking

  constructor(asking: Asking) {
    this.#asking = asking
  }

  async put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void> {
    const values = [...parts].flatMap(([name, bytes]) => [name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
    const rows = [...parts.keys()].map((_, at) => `($1, $2, $${2 * at + 4}, $${2 * at + 5}, ${SCHEMA}.now_ms() + $3)`)
    await this.#asking.ask(
      `INSERT INTO ${SCHEMA}.part (job, side, name, bytes, ends_at) VALUES ${rows.join(', ')}
        ON CONFLICT (job, side, name) DO UPDATE SET bytes = EXCLUDED.bytes, ends_at = EXCLUDED.ends_at`,
      ...[job, side, whole(ttlMs)],
      ...values
    )
  }

  async get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    const rows = await this.#asking.ask<{ name: string; bytes: Buffer }>(
      `SELECT name, bytes FROM ${SCHEMA}.part WHERE job = $1 AND side = $2 AND name = ANY ($3)`,
      ...[job, side, names]
    )
    return new Map(rows.map(({ name, bytes }) => [name, bytes]))
  }

  async drop(job: string, side: Side, names: readonly string[]): Promise<void> {
    await this.#asking.ask(`DELETE FROM ${SCHEMA}.part WHERE job = $1 AND side = $2 AND name = ANY ($3)`, job, side, names)
  }
}
