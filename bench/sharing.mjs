// node bench/sharing.mjs [MODEL_DIR] [--requests 16] [--rounds 5] [--size 256] [--threads 2] [--gap 0.4] [--max-batch N]
// What sharing batches is worth: the same requests, with different prompts and step counts, arrive at the same random moments and
// are served one after another in their order (each awaited before the next one starts), or by the engine as they come. Both ways
// take turns, round by round. Prints a line of JSON a round and one with the medians.
// `--gap`: mean time between two arrivals, in times of what a request takes alone; 0: all at once.
// Milliseconds are wall time, so a busy machine counts; `cpu` is the process's own time, which does not.
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { median } from '../dist/bench/statistics.js'
import { Pipeline } from '../dist/index.js'
/**
 * @import { GenerateOptions } from '../dist/index.js'
 * @import { Sharing } from './engine.mjs'
 */

/** @typedef {{ call: GenerateOptions, at: number }} Arrival of a request, in milliseconds */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    requests: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '5' },
    size: { type: 'string', default: '256' },
    threads: { type: 'string', default: '2' },
    gap: { type: 'string', default: '0.4' },
    'max-batch': { type: 'string' }
  }
})
const [requests, rounds, size] = [Number(values.requests), Number(values.rounds), Number(values.size)]
const [threads, gap] = [Number(values.threads), Number(values.gap)]
const maxBatch = values['max-batch'] === undefined ? {} : { maxBatch: Number(values['max-batch']) }

const pipeline = await Pipeline.load(positionals[0], { device: 'cpu', threads, ...maxBatch })

/**
 * The same numbers for a seed, everywhere.
 * @param {number} seed
 */
function uniform(seed) {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

const SUBJECTS = ['a red cat', 'a blue house', 'a fish', 'a green tree', 'a yellow car', 'a castle', 'a dog', 'a ship']

/**
 * Requests and when they arrive.
 * @param {number} seed
 * @param {number} mean milliseconds between two
 * @returns {Arrival[]}
 */
function workload(seed, mean) {
  const random = uniform(seed)
  let at = 0
  return Array.from({ length: requests }, (_, index) => {
    const call = {
      prompt: SUBJECTS[Math.floor(random() * SUBJECTS.length)] ?? '',
      seed: index,
      width: size,
      height: size,
      priorSteps: 10 + Math.floor(random() * 31),
      decoderSteps: 6 + Math.floor(random() * 11)
    }
    const arrival = { call, at }
    at += -Math.log(1 - random()) * mean
    return arrival
  })
}

/**
 * @param {Arrival[]} arrivals
 * @param {(call: GenerateOptions) => Promise<unknown>} run
 * @returns {Promise<Sharing>}
 */
async function serve(arrivals, run) {
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
  return {
    makespan: performance.now() - started,
    latency: latencies.reduce((sum, ms) => sum + ms, 0) / requests,
    cpu: (user + system) / 1000
  }
}

function oneAfterAnother() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve()
  /** @param {GenerateOptions} call */
  return call => (last = last.then(() => pipeline.generate(call)))
}

for (const { call } of workload(1, 0).slice(0, 2)) await pipeline.generate(call) // warm
const alone = []
for (const { call } of workload(2, 0).slice(0, 3)) {
  const started = performance.now()
  await pipeline.generate(call)
  alone.push(performance.now() - started)
}
const mean = gap * median(alone)
/** @type {Sharing[]} */
const ratios = []
for (let round = 1; round <= rounds; round++) {
  const arrivals = workload(10 + round, mean)
  const sequential = () => serve(arrivals, oneAfterAnother())
  const shared = () => serve(arrivals, call => pipeline.generate(call))
  // Which goes first alternates: whatever else the machine does then hits both alike.
  const [first, second] = round % 2 === 0 ? [sequential, shared] : [shared, sequential]
  const [a, b] = [await first(), await second()]
  const [one, both] = round % 2 === 0 ? [a, b] : [b, a]
  const ratio = { makespan: both.makespan / one.makespan, latency: both.latency / one.latency, cpu: both.cpu / one.cpu }
  ratios.push(ratio)
  console.log(JSON.stringify({ round, oneAfterAnother: one, shared: both, ratio }))
}
console.log(
  JSON.stringify({
    requests,
    rounds,
    size,
    threads,
    gap,
    ...maxBatch,
    batchSizes: pipeline.stats().batchSizes,
    ratio: {
      makespan: median(ratios.map(({ makespan }) => makespan)),
      latency: median(ratios.map(({ latency }) => latency)),
      cpu: median(ratios.map(({ cpu }) => cpu))
    }
  })
)
await pipeline.dispose()
