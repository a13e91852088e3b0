import type { Limits } from '../limits.js'
import type { JobView } from './store.js'
import { bytesOf, type JobResult } from './work.js'

export type ShelfLimits = Pick<Limits, 'resultTtlSeconds' | 'maxKeptJobs' | 'maxKeptBytes'>

/** What is kept of a finished job. Its inputs are not: the parameters that made each image are in the result. */
interface Finished {
  view: JobView
  result: JobResult | undefined
}

/** Ids that are remembered once their job is gone, so that asking for it is answered with "expired", not "unknown". */
const MOST_EXPIRED = 10_000

/** Finished jobs, until their time is over or their room is needed: the oldest go first. */
export class Shelf {
  readonly #limits: ShelfLimits
  readonly #forgotten: (view: JobView) => void
  readonly #jobs = new Map<string, Finished & { bytes: number; timer: NodeJS.Timeout }>()
  readonly #expired = new Set<string>()
  #bytes = 0

  /** @param forgotten hears of every job that is no longer kept */
  constructor(limits: ShelfLimits, forgotten: (view: JobView) => void) {
    this.#limits = limits
    this.#forgotten = forgotten
  }

  get size(): number {
    return this.#jobs.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How long a finished job can be asked for. */
  get ttlMs(): number {
    return this.#limits.resultTtlSeconds * 1000
  }

  put(view: JobView, result: JobResult | undefined): void {
    const bytes = bytesOf([view, result])
    const timer = setTimeout(() => this.#remove(view.id), this.ttlMs).unref()
    this.#jobs.set(view.id, { view, result, bytes, timer })
    this.#bytes += bytes
    for (const id of this.#jobs.keys()) {
      if (this.#jobs.size <= this.#limits.maxKeptJobs && this.#bytes <= this.#limits.maxKeptBytes) break
      this.#remove(id)
    }
  }

  get(id: string): Finished | 'expired' | undefined {
    return this.#jobs.get(id) ?? (this.#expired.has(id) ? 'expired' : undefined)
  }

  clear(): void {
    for (const id of this.#jobs.keys()) this.#remove(id)
  }

  #remove(id: string): void {
    const entry = this.#jobs.get(id)
    if (entry === undefined) return
    clearTimeout(entry.timer)
    this.#jobs.delete(id)
    this.#bytes -= entry.bytes
    this.#expired.add(id)
    this.#forgotten(entry.view)
    if (this.#expired.size > MOST_EXPIRED) this.#expired.delete(this.#expired.values().next().value!)
  }
}
