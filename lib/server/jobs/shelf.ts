import type { Job } from './job.js'
import { resultBytes } from './work.js'

export interface ShelfLimits {
  /** How long a finished job can be asked for. */
  ttlMs: number
  /** Results beyond this push the oldest ones out before their time. */
  maxBytes: number
}

/** Ids that are remembered once their job is gone, so that asking for it is answered with "expired", not "unknown". */
const MOST_EXPIRED = 10_000

/** Finished jobs, until their time is over or their room is needed. */
export class Shelf {
  readonly #limits: ShelfLimits
  readonly #jobs = new Map<string, { job: Job; bytes: number; timer: NodeJS.Timeout }>()
  readonly #expired = new Set<string>()
  #bytes = 0

  constructor(limits: ShelfLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#jobs.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** When a job that ends now is forgotten. */
  expiry(): number {
    return Date.now() + this.#limits.ttlMs
  }

  put(job: Job): void {
    const bytes = job.result === undefined ? 0 : resultBytes(job.result)
    const timer = setTimeout(() => this.#remove(job.id), this.#limits.ttlMs).unref()
    this.#jobs.set(job.id, { job, bytes, timer })
    this.#bytes += bytes
    for (const id of this.#jobs.keys()) {
      if (this.#bytes <= this.#limits.maxBytes) break
      this.#remove(id)
    }
  }

  get(id: string): Job | 'expired' | undefined {
    return this.#jobs.get(id)?.job ?? (this.#expired.has(id) ? 'expired' : undefined)
  }

  jobs(): Job[] {
    return [...this.#jobs.values()].map(({ job }) => job)
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
    if (this.#expired.size > MOST_EXPIRED) this.#expired.delete(this.#expired.values().next().value!)
  }
}
