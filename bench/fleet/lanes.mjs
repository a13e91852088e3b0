import { Heap } from './heap.mjs'

/**
 * What waits, in the order of lib/server/queue/redis/lua: each owner has a pass, the next job is of the owner with the least, and
 * taking it adds its cost. An owner that comes back begins where the others are.
 * @template {{ owner: string, cost: number }} T
 */
export class Lanes {
  /** @type {Map<string, { jobs: T[], head: number }>} */
  #lanes = new Map()
  /** Of owners that wait, and of those that are ahead of the others. @type {Map<string, number>} */
  #passes = new Map()
  /** Owners that wait; an entry whose pass is not the owner's any more is stale. @type {Heap<{ owner: string, pass: number }>} */
  #turns = new Heap((a, b) => a.pass < b.pass || (a.pass === b.pass && a.owner < b.owner))
  #clock = 0
  size = 0
  /** Of all that waits. */
  cost = 0

  /** @param {T} job */
  push(job) {
    const { owner } = job
    const lane = this.#lanes.get(owner) ?? { jobs: [], head: 0 }
    const waits = lane.head < lane.jobs.length
    lane.jobs.push(job)
    this.#lanes.set(owner, lane)
    this.size++
    this.cost += job.cost
    if (waits) return
    const pass = Math.max(this.#clock, this.#passes.get(owner) ?? 0)
    this.#passes.set(owner, pass)
    this.#turns.push({ owner, pass })
  }

  /** @returns {T | undefined} whose turn it is */
  get first() {
    const owner = this.#turns.first?.owner
    if (owner === undefined) return undefined
    const { jobs, head } = /** @type {{ jobs: T[], head: number }} */ (this.#lanes.get(owner))
    return jobs[head]
  }

  /** @returns {T | undefined} */
  take() {
    const job = this.first
    const turn = this.#turns.take()
    if (job === undefined || turn === undefined) return undefined
    const { owner, pass } = turn
    const lane = /** @type {{ jobs: T[], head: number }} */ (this.#lanes.get(owner))
    lane.head++
    this.#clock = pass
    this.#passes.set(owner, pass + job.cost)
    if (lane.head < lane.jobs.length) this.#turns.push({ owner, pass: pass + job.cost })
    else this.#lanes.delete(owner)
    this.size--
    this.cost -= job.cost
    return job
  }
}
