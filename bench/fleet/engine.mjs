import { secondsOf } from './kinds.mjs'

/**
 * @import { Clock } from './clock.mjs'
 * @import { Kind } from './kinds.mjs'
 * @import { Wish } from './arrivals.mjs'
 */

/** @typedef {'prior' | 'decoder' | 'pixels' | 'done'} Phase */
/** @typedef {{ task: Task, phase: Phase, left: number }} Image */

/**
 * A job in an engine.
 * @typedef {object} Task
 * @property {Wish} wish
 * @property {number} arrived the work that had been done when it came
 * @property {number} stepsLeft of all its images
 * @property {number} imagesLeft
 * @property {boolean} prepared
 * @property {() => void} done
 */

/** The cores that engines of one machine share. */
export class Cores {
  /** Engines that have something to do. */
  working = 0
  #factors

  /** @param {readonly number[]} factors how much longer turns take while one engine works, while two do, and so on */
  constructor(factors) {
    this.#factors = factors
  }

  get factor() {
    return /** @type {number} */ (this.#factors[Math.min(this.#factors.length, Math.max(1, this.working)) - 1])
  }
}

/**
 * An engine's turns, as cpp/core/turns.h has them: the request with the lowest rank leads, which is the work that leading images
 * had done when it came, plus twice the work that it has left. A step is as much work as the image is large. What is in the same
 * stage with the same size joins, up to maxBatch. Stage A takes one image at a time.
 */
export class Engine {
  /** @type {Image[]} */
  #images = []
  #workDone = 0
  #working = false
  #ended = false
  #until = 0
  #clock
  #kind
  #times
  #cores
  /** Seconds in which it worked, steps that images took, and turns that took them: the mean batch is their quotient. */
  busy = 0
  steps = 0
  runs = 0

  /**
   * @param {Clock} clock
   * @param {Kind} kind
   * @param {Cores} [cores] of its machine, where other engines have them too
   */
  constructor(clock, kind, cores = new Cores([1])) {
    this.#clock = clock
    this.#kind = kind
    this.#cores = cores
    const most = kind.maxBatch + 1
    this.#times = {
      prior: Array.from({ length: most }, (_, images) => secondsOf(kind.prior, Math.max(1, images))),
      decoder: Array.from({ length: most }, (_, images) => secondsOf(kind.decoder, Math.max(1, images)))
    }
  }

  /** @param {Wish} wish @param {() => void} done */
  submit(wish, done) {
    const stepsLeft = wish.images * (wish.priorSteps + wish.decoderSteps)
    const task = { wish, arrived: this.#workDone, stepsLeft, imagesLeft: wish.images, prepared: false, done }
    for (let index = 0; index < wish.images; index++) this.#images.push(enter({ task, phase: 'prior', left: wish.priorSteps }))
    if (!this.#working) this.#turn()
  }

  /** Its process has ended: nothing of it happens any more. */
  end() {
    this.#ended = true
    if (this.#working) this.busy -= this.#until - this.#clock.now
    this.#work(false)
  }

  /** @param {boolean} working */
  #work(working) {
    if (working !== this.#working) this.#cores.working += working ? 1 : -1
    this.#working = working
  }

  #turn() {
    this.#work(this.#images.length > 0)
    if (!this.#working) return
    const batch = this.#next()
    const [first] = /** @type {[Image]} */ (batch)
    const { phase } = first
    this.#workDone += first.task.wish.area
    const times = this.#times[phase === 'prior' ? 'prior' : 'decoder']
    let seconds = phase === 'pixels' ? this.#kind.pixels : /** @type {number} */ (times[batch.length])
    seconds *= first.task.wish.area
    for (const { task } of batch) {
      if (task.prepared) continue
      task.prepared = true
      seconds += this.#kind.once
    }
    seconds *= this.#cores.factor
    this.busy += seconds
    this.#until = this.#clock.now + seconds
    if (phase !== 'pixels') {
      this.runs++
      this.steps += batch.length
    }
    this.#clock.after(seconds, () => this.#finish(batch))
  }

  /** @returns {Image[]} what takes this turn together; the first one leads */
  #next() {
    const images = this.#images
    let lead = /** @type {Image} */ (images[0])
    for (const image of images) if (rankOf(image) < rankOf(lead)) lead = image
    if (lead.phase === 'pixels') return [lead]
    const { phase, task } = lead
    const others = images.filter(image => image !== lead && image.phase === phase && image.task.wish.area === task.wish.area)
    others.sort((a, b) => rankOf(a) - rankOf(b))
    return [lead, ...others.slice(0, this.#kind.maxBatch - 1)]
  }

  /** @param {Image[]} batch */
  #finish(batch) {
    if (this.#ended) return
    /** @type {Task[]} */
    const done = []
    for (const image of batch) {
      const { task } = image
      if (image.phase !== 'pixels') task.stepsLeft--
      if (--image.left === 0) leave(image)
      if (image.phase === 'done' && --task.imagesLeft === 0) done.push(task)
    }
    if (done.length > 0 || batch[0]?.phase === 'done') this.#images = this.#images.filter(({ phase }) => phase !== 'done')
    for (const task of done) task.done()
    // What was taken on meanwhile has a place in this turn already.
    this.#turn()
  }
}

/** @param {Image} image */
function rankOf({ task }) {
  return task.arrived + 2 * task.stepsLeft * task.wish.area
}

/** A stage without steps is left out. @param {Image} image @returns {Image} */
function enter(image) {
  if (image.left === 0) leave(image)
  return image
}

/** @param {Image} image */
function leave(image) {
  if (image.phase === 'prior') {
    image.phase = 'decoder'
    image.left = image.task.wish.decoderSteps
    enter(image)
  } else if (image.phase === 'decoder') {
    image.phase = 'pixels'
    image.left = 1
  } else image.phase = 'done'
}
