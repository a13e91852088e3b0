import type { Limits } from '../limits.js'
import type { Blobs } from './blobs.js'
import type { QueueDatabase } from './queue-database.js'
import type { TicketOffice } from './tickets.js'

const SWEEP_MS = 1000

export interface KeeperOptions {
  database: QueueDatabase
  office: TicketOffice
  blobs: Blobs
  /** Of a server, which says how much is kept; a worker does not know. */
  limits?: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'>
}

/**
 * Does in every process what nobody in particular is there for: jobs whose time is over end, results that have been kept for
 * long enough go, and jobs whose ticket got lost get another one. Doing it twice changes nothing.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #timer: NodeJS.Timeout
  /** Models that lacked tickets at the last look: a job that has just been taken on may wait for its ticket. */
  #lacking = new Set<string>()
  #sweeping = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return
    this.#sweeping = true
    try {
      const { database, blobs, limits } = this.#options
      const waiting = await database.sweep(limits)
      const lacking = new Set<string>()
      for (const [model, jobs] of waiting) await this.#supply(model, jobs, lacking)
      this.#lacking = lacking
      blobs.sweep?.()
    } catch {
      // The queue cannot be reached: there is the next time.
    } finally {
      this.#sweeping = false
    }
  }

  /** A server that ends between the two leaves a job without a ticket, and so does a queue that forgets its last second. */
  async #supply(model: string, jobs: number, lacking: Set<string>): Promise<void> {
    const { office } = this.#options
    const missing = jobs - (await office.waiting(model))
    if (missing <= 0) return
    if (this.#lacking.has(model)) await office.issue(model, missing)
    else lacking.add(model)
  }
}
