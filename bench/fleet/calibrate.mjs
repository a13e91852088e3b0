import { fork } from 'node:child_process'
import { once } from 'node:events'
import { quantile } from './statistics.mjs'
/**
 * @import { ChildProcess } from 'node:child_process'
 * @import { Ask, Times } from './child.mjs'
 * @import { Kind } from './kinds.mjs'
 */

/** Engines of this machine, each in a process of its own, that measure themselves. */
export class Engines {
  /** @type {ChildProcess[]} */
  #children

  /** @param {ChildProcess[]} children */
  constructor(children) {
    this.#children = children
  }

  /** @param {{ model: string, threads: number, maxBatch: number, count: number }} options */
  static async start({ model, threads, maxBatch, count }) {
    const child = new URL('child.mjs', import.meta.url)
    const children = Array.from({ length: count }, () => fork(child, [JSON.stringify({ model, threads, maxBatch })]))
    await Promise.all(children.map(each => once(each, 'message')))
    return new Engines(children)
  }

  /**
   * Measures that many engines at a time.
   * @param {number} count @param {Ask} ask
   * @returns {Promise<Times[]>} the calls of all of them
   */
  async measure(count, ask) {
    const replies = this.#children.slice(0, count).map(async child => {
      const reply = once(child, 'message')
      child.send(ask)
      return /** @type {Times[]} */ ((await reply)[0])
    })
    return (await Promise.all(replies)).flat()
  }

  close() {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}

/** @typedef {{ priorSteps: number, decoderSteps: number } & Record<string, unknown>} Sampling */
/** @typedef {{ kind: Kind, slowed: number[], file: number }} Calibration what a worker of this machine takes; seconds */

/**
 * One engine by size of its batches, and how much longer its calls take while others work.
 * @param {Engines} engines
 * @param {{ count: number, runs: number, maxBatch: number, sampling: Sampling }} options
 * @returns {Promise<Calibration>}
 */
export async function calibrate(engines, { count, runs, maxBatch, sampling }) {
  const middle = (/** @type {Times[]} */ times, /** @type {keyof Times} */ name) =>
    quantile(
      times.map(each => each[name]),
      0.5
    ) / 1000
  /** @type {Pick<Kind, 'prior' | 'decoder'>} */
  const curves = { prior: {}, decoder: {} }
  let [pixels, rest, file, full] = [0, 0, 0, 0]
  for (let images = 1; images <= maxBatch; images++) {
    const times = await engines.measure(1, { images, runs, sampling })
    curves.prior[images] = middle(times, 'prior') / sampling.priorSteps
    curves.decoder[images] = middle(times, 'decoder') / sampling.decoderSteps
    if (images === 1) [pixels, rest, file] = [middle(times, 'pixels'), middle(times, 'once'), middle(times, 'file')]
    full = middle(times, 'total')
  }
  const slowed = [1]
  for (let working = 2; working <= count; working++)
    slowed.push(middle(await engines.measure(working, { images: maxBatch, runs, sampling }), 'total') / full)
  return { kind: { ...curves, pixels, once: rest, maxBatch, maxRunningImages: 8 }, slowed, file }
}
