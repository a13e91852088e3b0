// An engine's turns with other orders than its own: which size, and which stage, goes next. Nothing is computed; a turn takes
// what a step of that many images was measured to take.
import { secondsOf } from './fleet/kinds.mjs'
import { textOf } from './requests.mjs'
/**
 * @import { Curve } from './fleet/kinds.mjs'
 * @import { Arrival } from './requests.mjs'
 */

/**
 * What a size takes: milliseconds by images in a turn. `most` of them may share one.
 * @typedef {{ prior: Curve, decoder: Curve, pixels: number, cells: number, most: number }} Cost
 */
/** @typedef {'prior' | 'decoder' | 'pixels'} Phase */
/**
 * @typedef {object} Image
 * @property {string} size
 * @property {number} cells of its embeddings, to which the work of a step is proportional
 * @property {Phase} phase
 * @property {number} left steps of the phase
 * @property {number} stepsLeft of all phases
 * @property {number} arrived turns that had been taken
 * @property {number} arrivedAt work that had been done, in steps of a cell
 * @property {number} due milliseconds
 * @property {number} decoderSteps
 */
/** What an order may look at. @typedef {{ images: readonly Image[], last: Image | undefined, turns: number }} State */

/** @param {Image} image */
const rank = ({ arrived, stepsLeft }) => arrived + 2 * stepsLeft
/** @param {Image} image */
const rankOfWork = ({ arrivedAt, stepsLeft, cells }) => arrivedAt + 2 * stepsLeft * cells
/** @param {Image} a @param {Image} b */
const mayShare = (a, b) => a.phase === b.phase && a.size === b.size

/**
 * The image of the smallest value, the first of equal ones.
 * @param {readonly Image[]} images @param {(image: Image) => number} value
 */
function least(images, value) {
  return images.reduce((best, image) => (value(image) < value(best) ? image : best))
}

/**
 * The orders by name: each chooses the image that leads the next turn.
 * @type {Record<string, (state: State) => Image>}
 */
export const ORDERS = {
  steps: ({ images }) => least(images, rank),
  // cpp/core/turns.h
  'steps by their cells': ({ images }) => least(images, rankOfWork),
  'sizes in turn, a step each': ({ images, turns }) => {
    const sizes = [...new Set(images.map(({ size }) => size))].sort()
    return least(
      images.filter(({ size }) => size === sizes[turns % sizes.length]),
      rank
    )
  },
  'a size to its end': ({ images, last }) => {
    const same = images.filter(({ size }) => size === last?.size)
    return least(same.length > 0 ? same : images, rank)
  },
  'the most images': ({ images }) => {
    const count = (/** @type {Image} */ image) => images.filter(other => mayShare(image, other)).length
    const most = Math.max(...images.map(count))
    return least(
      images.filter(image => count(image) === most),
      rank
    )
  }
}

/**
 * Serves requests of one image each in one order.
 * @param {readonly Arrival[]} arrivals ascending in time
 * @param {Readonly<Record<string, Cost>>} costs by size
 * @param {(state: State) => Image} lead
 * @returns {{ makespan: number, latencies: number[], shared: number }} milliseconds; `shared`: images in a run, on average
 */
export function simulate(arrivals, costs, lead) {
  const waiting = [...arrivals]
  /** @type {Image[]} */
  let images = []
  /** @type {number[]} */
  const latencies = []
  let [now, turns, work, steps, runs] = [0, 0, 0, 0, 0]
  /** @type {Image | undefined} */
  let last
  while (images.length > 0 || waiting.length > 0) {
    if (images.length === 0) now = Math.max(now, waiting[0]?.at ?? 0)
    while (waiting[0] !== undefined && waiting[0].at <= now) {
      const { call, at } = /** @type {Arrival} */ (waiting.shift())
      const size = textOf(call)
      const { priorSteps, decoderSteps } = call
      const stepsLeft = priorSteps + decoderSteps + 1
      const cells = /** @type {Cost} */ (costs[size]).cells
      images.push({
        ...{ size, cells, phase: 'prior', left: priorSteps, stepsLeft, arrived: turns, arrivedAt: work, due: at, decoderSteps }
      })
    }
    const first = lead({ images, last, turns })
    const cost = /** @type {Cost} */ (costs[first.size])
    const others = images.filter(image => image !== first && mayShare(image, first)).sort((a, b) => rankOfWork(a) - rankOfWork(b))
    const batch = first.phase === 'pixels' ? [first] : [first, ...others].slice(0, cost.most)
    now += first.phase === 'pixels' ? cost.pixels : secondsOf(cost[first.phase], batch.length)
    if (first.phase !== 'pixels') {
      runs++
      steps += batch.length
    }
    turns++
    work += first.cells
    last = first
    for (const image of batch) {
      image.stepsLeft--
      if (--image.left > 0) continue
      if (image.phase === 'prior') Object.assign(image, { phase: 'decoder', left: image.decoderSteps })
      else if (image.phase === 'decoder') Object.assign(image, { phase: 'pixels', left: 1 })
      else latencies.push(now - image.due)
    }
    images = images.filter(({ stepsLeft }) => stepsLeft > 0)
  }
  return { makespan: now, latencies, shared: steps / runs }
}
