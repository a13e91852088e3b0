/**
 * A stream of random numbers: the same seed gives the same ones. It is mulberry32 of https://github.com/cprosche/mulberry32.
 * @typedef {object} Random
 * @property {() => number} uniform from 0 to 1, without 1
 * @property {(mean: number) => number} exponential
 * @property {(from: number, to: number) => number} between
 * @property {(count: number) => number} below an integer from 0 on
 */

/** @param {number} seed @returns {Random} */
export function randomOf(seed) {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    uniform,
    exponential: mean => -Math.log(1 - uniform()) * mean,
    between: (from, to) => from + uniform() * (to - from),
    below: count => Math.floor(uniform() * count)
  }
}
