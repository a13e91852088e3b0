// Requests with different prompts, steps and sizes that arrive at random moments, and what a pipeline takes for them.
import { setTimeout as wait } from 'node:timers/promises'
/** @import { GenerateOptions } from '../dist/index.js' */

/** @typedef {{ width: number, height: number }} Size */
/** @typedef {{ prompt: string, seed: number, priorSteps: number, decoderSteps: number } & Size} Call */
/** @typedef {{ call: Call, at: number }} Arrival of a request, in milliseconds */
/** @typedef {{ makespan: number, latencies: number[], cpu: number }} Served in milliseconds */

const SUBJECTS = ['a red cat', 'a blue house', 'a fish', 'a green tree', 'a yellow car', 'a castle', 'a dog', 'a ship']

/**
 * The same numbers for a seed, everywhere.
 * @param {number} seed
 */
function uniform(seed) {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

/**
 * Requests and when they arrive. Each size has as many of them, in random order. Steps and times do not depend on the sizes.
 * @param {number} seed
 * @param {{ requests: number, mean: number, sizes: readonly Size[] }} options `mean`: milliseconds between two
 * @returns {Arrival[]}
 */
export function workload(seed, { requests, mean, sizes }) {
  const random = uniform(seed)
  const sizeOf = shuffled(requests, sizes, uniform(seed + 1_000_000))
  let at = 0
  return sizeOf.map((size, index) => {
    const call = {
      prompt: SUBJECTS[Math.floor(random() * SUBJECTS.length)] ?? '',
      seed: index,
      ...size,
      priorSteps: 10 + Math.floor(random() * 31),
      decoderSteps: 6 + Math.floor(random() * 11)
    }
    const arrival = { call, at }
    at += -Math.log(1 - random()) * mean
    return arrival
  })
}

/**
 * @param {number} count
 * @param {readonly Size[]} sizes
 * @param {() => number} random
 * @returns {Size[]}
 */
function shuffled(count, sizes, random) {
  const each = Array.from({ length: count }, (_, index) => /** @type {Size} */ (sizes[index % sizes.length]))
  return each
    .map(size => ({ size, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ size }) => size)
}

/**
 * @param {readonly Arrival[]} arrivals
 * @param {(call: GenerateOptions) => Promise<unknown>} run
 * @returns {Promise<Served>}
 */
export async function serve(arrivals, run) {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const latencies = await Promise.all(
    arrivals.map(async ({ call, at }) => {
      await wait(at)
      await run(call)
      return performance.now() - started - at
    })
  )
  const { user, system } = process.cpuUsage(cpu)
  return { makespan: performance.now() - started, latencies, cpu: (user + system) / 1000 }
}

/** @param {string} text as in `256x256` @returns {Size} */
export function sizeOf(text) {
  const [width = NaN, height = NaN] = text.split('x').map(Number)
  if (!(width > 0 && height > 0)) throw new Error(`Expected a size such as 256x256 but received ${text}`)
  return { width, height }
}

/** @param {Size} size */
export function textOf({ width, height }) {
  return `${width}x${height}`
}
