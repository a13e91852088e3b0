// What an image's operations would take at the rate of large matrix products on this machine.
import { python } from './places.mjs'
import { runLines } from './process.mjs'
import { spread } from './results.mjs'
/**
 * @import { Setting } from './cases.mjs'
 * @import { Spread } from './results.mjs'
 */

/**
 * @typedef {object} Roofline
 * @property {number[]} flops operations of a call in each setting, counted on the exported networks
 * @property {Spread} rate operations a second of large products in float32, measured once a round
 */

/**
 * @param {string} model
 * @param {Setting[]} settings
 * @param {number} threads
 */
export async function measureRoofline(model, settings, threads) {
  const [line] = await runLines(python, ['bench/roofline.py', JSON.stringify({ model, settings, threads })])
  return /** @type {{ flops: number[], rate: number }} */ (/** @type {unknown} */ (line))
}

/**
 * @param {{ flops: number[], rate: number }[]} rounds
 * @returns {Roofline}
 */
export function rooflineOf(rounds) {
  return { flops: rounds[0]?.flops ?? [], rate: spread(rounds.map(({ rate }) => rate)) }
}

/**
 * The part of that rate at which a case works: 1 is what large products alone reach.
 * @param {Roofline} roofline
 * @param {number} setting its index
 * @param {Spread | undefined} time milliseconds of a call
 */
export function shareOfRate({ flops, rate }, setting, time) {
  const operations = flops[setting]
  return time === undefined || operations === undefined ? undefined : operations / (time.median / 1000) / rate.median
}
