import { Lanes } from './lanes.mjs'

/**
 * @import { Wish } from './arrivals.mjs'
 * @import { Engine } from './engine.mjs'
 * @import { Random } from './random.mjs'
 */

/**
 * @typedef {object} Job
 * @property {Wish} wish
 * @property {string} owner
 * @property {number} cost
 * @property {number} kills workers that ended with it
 * @property {number | undefined} started when a worker took it first
 */

/**
 * @typedef {object} Worker
 * @property {Cell} cell
 * @property {Engine} engine
 * @property {'starting' | 'taking' | 'draining' | 'over'} state
 * @property {Set<Job>} jobs
 * @property {number} images
 * @property {number} place among those of its cell that have room; -1: it has none
 * @property {number} taken when the last job that it took is in its engine
 * @property {number} began when its machine began to be paid
 */

/** Workers that run so many images wait equally long before they look for another one. */
const MOST_TOLD_APART = 5

/** A queue with its workers. */
export class Cell {
  /** @type {Lanes<Job>} */
  lanes = new Lanes()
  /** Jobs whose worker has ended: their tickets are at the front. @type {Job[]} */
  back = []
  /** @type {Set<Worker>} */
  workers = new Set()
  /** @type {Worker[]} */
  #open = []
  #maxRunningImages
  #random

  /** @param {number} maxRunningImages of a worker @param {Random} random */
  constructor(maxRunningImages, random) {
    this.#maxRunningImages = maxRunningImages
    this.#random = random
  }

  /** @returns {Job | undefined} what is to be taken next */
  get next() {
    return this.back[0] ?? this.lanes.first
  }

  /** @returns {Job | undefined} */
  take() {
    return this.back.shift() ?? this.lanes.take()
  }

  /** A worker that does nothing takes any job. @param {Worker} worker @param {Job} job */
  fits({ images, state }, { wish }) {
    return state === 'taking' && (images === 0 || images + wish.images <= this.#maxRunningImages)
  }

  /**
   * Who takes the next job: of the workers with room, one of those that run least. Each waits a little for each image that it
   * runs, up to a most (lib/server/queue/courtesy.ts).
   * @param {Job} job
   * @returns {Worker | undefined}
   */
  taker(job) {
    const open = this.#open
    const from = this.#random.below(Math.max(1, open.length))
    /** @type {Worker | undefined} */
    let best
    for (let index = 0; index < open.length; index++) {
      const worker = /** @type {Worker} */ (open[(from + index) % open.length])
      if (!this.fits(worker, job)) continue
      if (worker.images === 0) return worker
      if (best === undefined || worker.images < Math.min(best.images, MOST_TOLD_APART)) best = worker
    }
    return best
  }

  /** Whether a worker has room may have changed. @param {Worker} worker */
  place(worker) {
    const { state, images } = worker
    const has = state === 'taking' && (images === 0 || images < this.#maxRunningImages)
    if (has === worker.place >= 0) return
    if (has) {
      worker.place = this.#open.push(worker) - 1
      return
    }
    const last = /** @type {Worker} */ (this.#open.pop())
    if (last !== worker) {
      this.#open[worker.place] = last
      last.place = worker.place
    }
    worker.place = -1
  }
}
