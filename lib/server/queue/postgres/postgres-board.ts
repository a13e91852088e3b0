import { FACTS_MS, FORGOTTEN_MS, type WorkerBoard } from '../queue-database.js'
import type { Asking } from './asking.js'
import { SCHEMA } from './prepare.js'

export class PostgresBoard implements WorkerBoard {
  readonly #asking: Asking

  constructor(asking: Asking) {
    this.#asking = asking
  }

  async announce(worker: string, announcement: string, facts: readonly { name: string; text: string }[]): Promise<void> {
    await this.#asking.ask(
      `WITH said AS (
        INSERT INTO ${SCHEMA}.worker (id, announcement, said_at) VALUES ($1, $2, ${SCHEMA}.now_ms())
          ON CONFLICT (id) DO UPDATE SET announcement = EXCLUDED.announcement, said_at = EXCLUDED.said_at
      ), offered AS (
        INSERT INTO ${SCHEMA}.model (name, facts, ends_at)
          SELECT name, facts, ${SCHEMA}.now_ms() + $5 FROM unnest($3::text[], $4::text[]) AS each (name, facts)
          ORDER BY name
          ON CONFLICT (name) DO UPDATE SET facts = EXCLUDED.facts, ends_at = EXCLUDED.ends_at
      )
      SELECT ${SCHEMA}.told('workers-changed', $1)`,
      ...[worker, announcement, facts.map(({ name }) => name), facts.map(({ text }) => text), FACTS_MS]
    )
  }

  async withdraw(worker: string): Promise<void> {
    await this.#asking.ask(
      `WITH gone AS (DELETE FROM ${SCHEMA}.worker WHERE id = $1) SELECT ${SCHEMA}.told('workers-changed', $1)`,
      worker
    )
  }

  async workers(): Promise<string[]> {
    const rows = await this.#asking.ask<{ text: string }>(
      `SELECT announcement AS text FROM ${SCHEMA}.worker WHERE said_at + $1 > ${SCHEMA}.now_ms() ORDER BY said_at`,
      FORGOTTEN_MS
    )
    return rows.map(({ text }) => text)
  }

  async offered(): Promise<string[]> {
    const rows = await this.#asking.ask<{ text: string }>(
      `SELECT facts AS text FROM ${SCHEMA}.model WHERE ends_at > ${SCHEMA}.now_ms() ORDER BY number`
    )
    return rows.map(({ text }) => text)
  }
}
