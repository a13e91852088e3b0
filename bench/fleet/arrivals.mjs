import { readFileSync } from 'node:fs'
import { randomOf } from './random.mjs'

/** @import { Random } from './random.mjs' */

/**
 * What a client asks for. `cost` is in pictures with the model's defaults, as lib/server/queue/cost.ts counts it.
 * @typedef {object} Wish
 * @property {number} at seconds
 * @property {string} owner
 * @property {number} images
 * @property {number} priorSteps
 * @property {number} decoderSteps
 * @property {number} area pixels, as a part of the model's default: a turn takes as much longer
 * @property {number} cost
 */

/** @typedef {'poisson' | 'bursty' | 'diurnal'} Pattern */

/** A day of the diurnal pattern in seconds, and how far the rate goes up and down. */
const [DAY, SWING] = [86_400, 0.6]
/** The bursty pattern: for a fifth of the time four times the mean rate, else a quarter of it; bursts have a minute on average */
const [BURST_SHARE, BURST_FACTOR, BURST_SECONDS] = [0.2, 4, 60]

/**
 * Times of requests without an end, ascending. All patterns have the same mean rate.
 * @param {Pattern} pattern @param {number} rate requests a second @param {Random} random @param {number} [day] seconds of one
 * @returns {Generator<number, never>}
 */
export function* timesOf(pattern, rate, random, day = DAY) {
  if (pattern === 'bursty') return yield* bursts(rate, random)
  let time = 0
  const most = pattern === 'diurnal' ? rate * (1 + SWING) : rate
  for (;;) {
    time += random.exponential(1 / most)
    // Thinning: of a process with the highest rate, each time stays with the share that its own rate has.
    const own = pattern === 'diurnal' ? rate * (1 - SWING * Math.cos((2 * Math.PI * time) / day)) : most
    if (random.uniform() * most < own) yield time
  }
}

/**
 * A Markov-modulated Poisson process of two states.
 * @param {number} rate @param {Random} random
 * @returns {Generator<number, never>}
 */
function* bursts(rate, random) {
  const calmFactor = (1 - BURST_SHARE * BURST_FACTOR) / (1 - BURST_SHARE)
  const calmSeconds = (BURST_SECONDS * (1 - BURST_SHARE)) / BURST_SHARE
  // Of their own, so that the same bursts come at any rate.
  const lengths = randomOf(random.below(2 ** 32))
  let [time, bursting] = [0, false]
  let end = lengths.exponential(calmSeconds)
  for (;;) {
    const next = time + random.exponential(1 / (rate * (bursting ? BURST_FACTOR : calmFactor)))
    if (next < end) yield (time = next)
    else {
      // What is left of an exponential gap is one anew.
      time = end
      bursting = !bursting
      end = time + lengths.exponential(bursting ? BURST_SECONDS : calmSeconds)
    }
  }
}

/**
 * Names of clients: `count` equal ones, or of which the k-th asks 1/k as often as the first.
 * @param {number} count @param {boolean} skewed @param {Random} random
 * @returns {() => string}
 */
export function ownersOf(count, skewed, random) {
  if (!skewed) return () => `key-${random.below(count)}`
  let sum = 0
  const sums = Array.from({ length: count }, (_, index) => (sum += 1 / (index + 1)))
  return () => {
    const at = random.uniform() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (/** @type {number} */ (sums[middle]) > at) high = middle
      else low = middle + 1
    }
    return `key-${low}`
  }
}

/**
 * A trace: a JSON line a request, `{"at": seconds, "owner": "…", "images": 1, "priorSteps": 29, "decoderSteps": 12,
 * "area": 1}`; all but `at` have defaults.
 * @param {string} file @param {{ priorSteps: number, decoderSteps: number }} defaults
 * @returns {Wish[]} in the order of their times
 * @throws {Error} where a line is no request
 */
export function readTrace(file, defaults) {
  const lines = readFileSync(file, 'utf8').split('\n')
  const wishes = lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const given = JSON.parse(line)
    const { at, owner = 'key-0', images = 1, area = 1, ...steps } = given
    const { priorSteps, decoderSteps } = { ...defaults, ...steps }
    const counts = [images, priorSteps, decoderSteps]
    const sound = at >= 0 && area > 0 && typeof owner === 'string' && counts.every(each => Number.isInteger(each) && each >= 0)
    if (!sound || images < 1) throw new Error(`Expected a request for line ${index + 1} of ${file} but received ${line}`)
    return [wishOf({ at, owner, images, priorSteps, decoderSteps, area }, defaults)]
  })
  return wishes.sort((a, b) => a.at - b.at)
}

/**
 * @param {Omit<Wish, 'cost' | 'area'> & { area?: number }} wish
 * @param {{ priorSteps: number, decoderSteps: number }} defaults
 * @returns {Wish}
 */
export function wishOf({ area = 1, ...wish }, { priorSteps, decoderSteps }) {
  const share = (wish.priorSteps + wish.decoderSteps) / (priorSteps + decoderSteps)
  return { ...wish, area, cost: wish.images * share * area }
}
