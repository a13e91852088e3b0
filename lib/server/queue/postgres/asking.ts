import type { Pool } from 'pg'
import { SCHEMA } from './prepare.js'

/** Whoever waits for each other, or saw what is no longer so, is told to ask again. */
const AGAIN: readonly unknown[] = ['40001', '40P01']
const MOST_TRIES = 3

const CLOSE_MS = 500

/** Asks the database. Each question is one statement, and so one transaction. */
export class Asking {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async ask<T>(text: string, ...values: unknown[]): Promise<T[]> {
    for (let tried = 1; ; tried++) {
      try {
        const { rows } = await this.#pool.query(text, values)
        return rows as T[]
      } catch (error) {
        if (tried === MOST_TRIES || !AGAIN.includes((error as { code?: unknown }).code)) throw error
      }
    }
  }

  /** A function of the schema. */
  async call<T>(name: string, ...values: unknown[]): Promise<T> {
    const places = values.map((_, at) => `$${at + 1}`)
    const [row] = await this.ask<{ answer: T }>(`SELECT ${SCHEMA}.${name}(${places.join(', ')}) AS answer`, ...values)
    return row!.answer
  }

  async close(): Promise<void> {
    const ended = this.#pool.end().catch(() => {})
    // What still asks a database that is away is not waited for.
    await Promise.race([ended, new Promise(resolve => setTimeout(resolve, CLOSE_MS).unref())])
  }
}

/** A limit can be beyond what a number of the database holds, and a time between two of them. */
export function whole(value: number): number {
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER)
}
