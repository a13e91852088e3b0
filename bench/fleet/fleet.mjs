import { Cell } from './cell.mjs'
import { Clock } from './clock.mjs'
import { Cores, Engine } from './engine.mjs'
import { paceOf } from './kinds.mjs'
import { randomOf } from './random.mjs'
import { Scaler } from './scaler.mjs'

/**
 * @import { Wish } from './arrivals.mjs'
 * @import { Job, Worker } from './cell.mjs'
 * @import { Kind } from './kinds.mjs'
 * @import { Scaling } from './scaler.mjs'
 */

/**
 * @typedef {object} Failures
 * @property {number} mtbfSeconds mean time of a worker until it ends without a word
 * @property {number} repairSeconds until another one is there in its place
 * @property {[least: number, most: number]} takeOverSeconds until its jobs are taken over
 */

/**
 * @typedef {object} Scenario
 * @property {Kind} kind
 * @property {number} workers at the beginning
 * @property {Iterable<Wish>} wishes in the order of their times
 * @property {number} seed
 * @property {number} [seconds] what comes later is not taken on; without it all wishes are
 * @property {number} [warmUpSeconds] the waiting of what comes before is not counted
 * @property {number} [cells] queues; each has the same part of the workers
 * @property {(wish: Wish, waiting: readonly number[]) => number} [route] the cell of a wish, by what waits in each; by its key
 * @property {Failures} [failures]
 * @property {Scaling} [scaling] of each cell
 * @property {number} [takeSeconds] until what a worker has taken is in its engine: a worker takes one job after another
 * @property {number} [handOverSeconds] from the last pixels until the job is over, and the worker takes another one
 * @property {readonly number[]} [slowed] all workers are on one machine: how much longer turns take while one works, two, …
 */

/** A job that so many workers ended with is a dead letter: MOST_ENDED of lib/server/queue/queue-database.ts. */
const MOST_KILLED = 2

/** Nothing came and nothing ended for so long, though there is work: some of it is lost. */
const LOST_SECONDS = 30 * 24 * 3600

/** @typedef {{ at: number, wait: number, latency: number, owner: string }} Done */

/**
 * Simulates until nothing is left to do.
 * @param {Scenario} scenario
 */
export function simulate(scenario) {
  return new Fleet(scenario).run()
}

class Fleet {
  #clock = new Clock()
  #random
  #scenario
  #cells
  #cores
  /** @type {Done[]} */
  #done = []
  #counts = { accepted: 0, finished: 0, failed: 0, pictures: 0, workersEnded: 0, takenOver: 0 }
  /** Seconds of machines that are paid and of engines that work; steps that images took, and turns that took them. */
  #sums = { paid: 0, busy: 0, steps: 0, runs: 0 }
  #present = { jobs: 0, area: 0, since: 0 }
  #most = 0
  #arriving = true

  /** @param {Scenario} scenario */
  constructor(scenario) {
    const { kind, seed, cells = 1, workers, slowed } = scenario
    this.#scenario = scenario
    this.#random = randomOf(seed)
    this.#cores = slowed === undefined ? undefined : new Cores(slowed)
    this.#cells = Array.from({ length: cells }, () => new Cell(kind.maxRunningImages, this.#random))
    for (let index = 0; index < workers; index++) this.#start(this.#cellAt(index), 0)
  }

  run() {
    const { wishes, seconds = Infinity, scaling } = this.#scenario
    this.#arrive(wishes[Symbol.iterator](), seconds)
    if (scaling !== undefined) for (const cell of this.#cells) this.#watch(cell, scaling)
    this.#clock.run(() => {
      if (this.#present.jobs > 0 && this.#clock.now - this.#present.since > LOST_SECONDS)
        throw new Error(`Expected the end of ${this.#present.jobs} jobs but nobody works on them any more`)
      return !this.#arriving && this.#present.jobs === 0
    })
    return this.#result()
  }

  /** @param {Iterator<Wish>} wishes @param {number} seconds */
  #arrive(wishes, seconds) {
    const { value, done } = wishes.next()
    if (done || value.at > seconds) {
      this.#arriving = false
      return
    }
    this.#clock.after(value.at - this.#clock.now, () => {
      this.#accept(value)
      this.#arrive(wishes, seconds)
    })
  }

  /** @param {Wish} wish */
  #accept(wish) {
    const { route = byKey } = this.#scenario
    const waiting = () => this.#cells.map(({ lanes, back }) => lanes.cost + back.length)
    const cell = this.#cellAt(this.#cells.length === 1 ? 0 : route(wish, waiting()))
    this.#counts.accepted++
    this.#change(1)
    cell.lanes.push({ wish, owner: wish.owner, cost: wish.cost, kills: 0, started: undefined })
    this.#offer(cell)
  }

  /** @param {Cell} cell */
  #offer(cell) {
    for (;;) {
      const job = cell.next
      const worker = job && cell.taker(job)
      if (worker === undefined) return
      this.#take(worker)
    }
  }

  /** @param {Worker} worker */
  #take(worker) {
    const job = worker.cell.take()
    if (job === undefined) return
    job.started ??= this.#clock.now
    worker.jobs.add(job)
    worker.images += job.wish.images
    worker.cell.place(worker)
    const { takeSeconds = 0, handOverSeconds = 0 } = this.#scenario
    const { now } = this.#clock
    const finish = () => {
      if (worker.state !== 'over') this.#finish(worker, job)
    }
    const submit = () => {
      if (worker.state === 'over') return
      const done = () => (handOverSeconds > 0 ? this.#clock.after(handOverSeconds, finish) : finish())
      worker.engine.submit(job.wish, done)
    }
    worker.taken = Math.max(now, worker.taken) + takeSeconds
    if (takeSeconds > 0) this.#clock.after(worker.taken - now, submit)
    else submit()
  }

  /** @param {Worker} worker @param {Job} job */
  #finish(worker, job) {
    const { cell, jobs } = worker
    const { warmUpSeconds = 0 } = this.#scenario
    const { at, owner, images } = job.wish
    jobs.delete(job)
    worker.images -= images
    this.#counts.finished++
    this.#counts.pictures += images
    this.#change(-1)
    if (at >= warmUpSeconds) {
      const wait = /** @type {number} */ (job.started) - at
      this.#done.push({ at, wait, latency: this.#clock.now - at, owner })
    }
    cell.place(worker)
    if (worker.state === 'draining' && jobs.size === 0) this.#stop(worker)
    for (let next = cell.next; next !== undefined && cell.fits(worker, next); next = cell.next) this.#take(worker)
  }

  /** @param {Cell} cell @param {number} startUpSeconds until it takes work; its machine is paid from now on */
  #start(cell, startUpSeconds) {
    const { kind, failures } = this.#scenario
    /** @type {Worker} */
    const worker = {
      ...{ cell, engine: new Engine(this.#clock, kind, this.#cores), state: 'starting', jobs: new Set(), images: 0, place: -1 },
      ...{ began: this.#clock.now, taken: 0 }
    }
    cell.workers.add(worker)
    this.#most = Math.max(this.#most, cell.workers.size)
    const begin = () => {
      if (worker.state !== 'starting') return
      worker.state = 'taking'
      cell.place(worker)
      this.#offer(cell)
      if (failures === undefined) return
      this.#clock.after(this.#random.exponential(failures.mtbfSeconds), () => {
        if (worker.state !== 'over') this.#fail(worker, failures)
      })
    }
    if (startUpSeconds > 0) this.#clock.after(startUpSeconds, begin)
    else begin()
  }

  /** @param {Worker} worker @param {Failures} failures */
  #fail(worker, { repairSeconds, takeOverSeconds }) {
    const { cell, jobs, state } = worker
    this.#counts.workersEnded++
    this.#stop(worker)
    for (const job of jobs) this.#clock.after(this.#random.between(...takeOverSeconds), () => this.#takeOver(cell, job))
    if (state === 'taking') this.#start(cell, repairSeconds)
  }

  /** @param {Cell} cell @param {Job} job */
  #takeOver(cell, job) {
    if (++job.kills >= MOST_KILLED) {
      this.#counts.failed++
      this.#change(-1)
      return
    }
    this.#counts.takenOver++
    cell.back.push(job)
    this.#offer(cell)
  }

  /** @param {Worker} worker */
  #stop(worker) {
    worker.state = 'over'
    worker.engine.end()
    worker.cell.place(worker)
    worker.cell.workers.delete(worker)
    this.#add(worker)
  }

  /** @param {Cell} cell @param {Scaling} scaling */
  #watch(cell, scaling) {
    const scaler = new Scaler(scaling)
    const pace = paceOf(this.#scenario.kind)
    const look = () => {
      const running = [...cell.workers].reduce((sum, { jobs }) => [...jobs].reduce((all, { cost }) => all + cost, sum), 0)
      const wanted = scaler.wanted(this.#clock.now, (cell.lanes.cost + cell.back.length) / pace, running / pace)
      const staying = [...cell.workers].filter(({ state }) => state !== 'draining')
      for (let count = staying.length; count < wanted; count++) this.#start(cell, scaling.startUpSeconds)
      for (const worker of staying.slice(wanted)) {
        worker.state = 'draining'
        cell.place(worker)
        if (worker.jobs.size === 0) this.#stop(worker)
      }
      this.#clock.after(scaling.pollSeconds, look)
    }
    look()
  }

  /** @param {number} by */
  #change(by) {
    const present = this.#present
    present.area += present.jobs * (this.#clock.now - present.since)
    present.since = this.#clock.now
    present.jobs += by
  }

  /** @param {Worker} worker */
  #add({ engine, began }) {
    this.#sums.paid += this.#clock.now - began
    for (const name of /** @type {const} */ (['busy', 'steps', 'runs'])) this.#sums[name] += engine[name]
  }

  /** @param {number} index */
  #cellAt(index) {
    return /** @type {Cell} */ (this.#cells[index % this.#cells.length])
  }

  #result() {
    for (const { workers } of this.#cells) for (const worker of workers) this.#add(worker)
    const { paid, busy, steps, runs } = this.#sums
    const { price } = this.#scenario.kind
    const { pictures } = this.#counts
    return {
      ...this.#counts,
      done: this.#done,
      seconds: this.#clock.now,
      utilisation: busy / paid,
      meanBatch: steps / runs,
      meanPresent: this.#present.area / this.#clock.now,
      mostWorkers: this.#most,
      machineHours: paid / 3600,
      costOfThousand: price === undefined ? undefined : ((paid / 3600) * price * 1000) / pictures
    }
  }
}

/** A hash of its key: FNV-1a. @param {Wish} wish */
export function byKey({ owner }) {
  let hash = 0x811c9dc5
  for (let at = 0; at < owner.length; at++) hash = Math.imul(hash ^ owner.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
