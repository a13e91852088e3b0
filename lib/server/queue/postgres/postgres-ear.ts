import type { Client, QueryResultRow } from 'pg'
import { backOff } from '../back-off.js'
import type { Ear, EarHooks } from '../ear.js'
import { SCHEMA } from './prepare.js'

const PREFIX = 'wuerstchen:'
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [50, 1000]

/** A connection that was cut without a word looks like one on which nothing is said. */
const ASK_MS = 5000

export interface PostgresEarOptions {
  /** A connection that has not been made yet. */
  open(): Client
  hooks: EarHooks
}

/** A connection that listens. */
export class PostgresEar implements Ear {
  readonly #options: PostgresEarOptions
  readonly #names = new Set<string>()
  readonly #timer: NodeJS.Timeout
  #client: Client | undefined
  #closed = false
  /** Messages stay in their order, although one that is long has to be read. */
  #turn: Promise<void> = Promise.resolve()
  #asking: Promise<unknown> = Promise.resolve()

  constructor(options: PostgresEarOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#ask('SELECT 1'), ASK_MS).unref()
    void this.#connect()
  }

  async listen(name: string): Promise<void> {
    this.#names.add(name)
    // One that fails is made again with the connection.
    await this.#ask(`LISTEN ${quoted(name)}`)
  }

  ignore(name: string): void {
    this.#names.delete(name)
    void this.#ask(`UNLISTEN ${quoted(name)}`)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    void this.#client?.end().catch(() => {})
  }

  async #connect(): Promise<void> {
    for (let tried = 0; !this.#closed; tried++) {
      const client = this.#options.open()
      client.on('error', () => {})
      client.on('notification', ({ channel, payload }) => this.#hear(channel.slice(PREFIX.length), payload ?? ''))
      let ended = false
      client.once('end', () => {
        ended = true
        if (this.#client === client) this.#lose()
      })
      try {
        await client.connect()
        // Names that come meanwhile are in the loop too.
        for (const name of this.#names) await client.query(`LISTEN ${quoted(name)}`)
      } catch {
        ended = true
      }
      if (!ended && !this.#closed) {
        this.#client = client
        this.#options.hooks.found()
        return
      }
      void client.end().catch(() => {})
      await new Promise(resolve => setTimeout(resolve, backOff(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)))
    }
  }

  #lose(): void {
    this.#client = undefined
    if (this.#closed) return
    this.#options.hooks.lost()
    void this.#connect()
  }

  /** One after the other, as the driver wants it. A connection that does not answer is cut. */
  #ask<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
    const answer = this.#asking.then(async () => {
      const client = this.#client
      try {
        return (await client?.query<Row>(text, values))?.rows ?? []
      } catch {
        if (client !== undefined && this.#client === client) {
          this.#lose()
          void client.end().catch(() => {})
        }
        return []
      }
    })
    this.#asking = answer
    return answer
  }

  #hear(name: string, text: string): void {
    const { told } = this.#options.hooks
    // A message of a job without contents, not even empty ones, has them in its table.
    const [, seq] = (name.startsWith('news:') && /^(\d+) \S+$/.exec(text)) || []
    this.#turn = this.#turn.then(async () => {
      if (seq === undefined) return told(name, text)
      const [found] = await this.#ask<{ contents: string }>(
        `SELECT contents FROM ${SCHEMA}.message WHERE job = $1 AND seq = $2`,
        [name.slice('news:'.length), Number(seq)]
      )
      // Without them, what it said is in the job's record, if that is there at all.
      if (found !== undefined) told(name, `${text} ${found.contents}`)
    })
  }
}

/** @param name comes from our own code, and from the ids of jobs */
function quoted(name: string): string {
  return `"${(PREFIX + name).replaceAll('"', '""')}"`
}
