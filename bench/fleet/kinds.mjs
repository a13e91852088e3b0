import { readFileSync } from 'node:fs'

/**
 * Seconds by number of images in a turn; between two of them on the line through both, beyond the last one in proportion.
 * @typedef {Record<string, number>} Curve
 */

/**
 * A kind of machine, as a table has it.
 * @typedef {object} Kind
 * @property {Curve} prior a step of Stage C
 * @property {Curve} decoder a step of Stage B
 * @property {number} pixels Stage A for one image
 * @property {number} once a job: texts and what depends on no step
 * @property {number} maxBatch images in one turn
 * @property {number} maxRunningImages images that are made at once
 * @property {number} [price] US dollars an hour
 */

/** The steps of the published model's defaults, and of the packaged one's. */
export const DEFAULT_STEPS = { priorSteps: 29, decoderSteps: 12 }

/** @returns {Record<string, Kind>} */
export function readKinds() {
  return JSON.parse(readFileSync(new URL('kinds.json', import.meta.url), 'utf8')).kinds
}

/** @param {Curve} curve @param {number} images at least 1 */
export function secondsOf(curve, images) {
  const points = Object.entries(curve).map(([at, seconds]) => /** @type {const} */ ([Number(at), seconds]))
  let [before, after] = [points[0], points[0]]
  for (const point of points) {
    if (point[0] <= images) before = point
    after = point
    if (point[0] >= images) break
  }
  if (before === undefined || after === undefined) throw new Error('Expected times for a curve but it is empty')
  const [[x, low], [end, high]] = [before, after]
  if (images > end) return (high * images) / end
  return end === x ? low : low + ((high - low) * (images - x)) / (end - x)
}

/**
 * Pictures a second of one machine whose batches are full.
 * @param {Kind} kind @param {{ priorSteps: number, decoderSteps: number }} [steps]
 */
export function paceOf({ prior, decoder, pixels, once, maxBatch }, { priorSteps, decoderSteps } = DEFAULT_STEPS) {
  const steps = (priorSteps * secondsOf(prior, maxBatch) + decoderSteps * secondsOf(decoder, maxBatch)) / maxBatch
  return 1 / (steps + pixels + once)
}
