// node bench/sharing.mjs [MODEL_DIR] [--requests 16] [--rounds 5] [--size 256] [--threads 2] [--gap 0.4] [--max-batch N]
// What sharing batches is worth: the same requests, with different prompts and step counts, arrive at the same random moments and
// are served one after another in their order (each awaited before the next one starts), or by the engine as they come. Both ways
// take turns, round by round. Prints a line of JSON a round and one with the medians.
// `--gap`: mean time between two arrivals, in times of what a request takes alone; 0: all at once.
// Milliseconds are wall time, so a busy machine counts; `cpu` is the process's own time, which does not.
import { parseArgs } from 'node:util'
import { median } from '../dist/bench/statistics.js'
import { Pipeline } from '../dist/index.js'
import { mean } from './fleet/statistics.mjs'
import { serve, workload } from './requests.mjs'
/**
 * @import { GenerateOptions } from '../dist/index.js'
 * @import { Sharing } from './engine.mjs'
 * @import { Arrival } from './requests.mjs'
 */

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
 * @param {number} seed
 * @param {number} gap milliseconds between two arrivals, on average
 */
const requestsOf = (seed, gap) => workload(seed, { requests, mean: gap, sizes: [{ width: size, height: size }] })

/**
 * @param {Arrival[]} arrivals
 * @param {(call: GenerateOptions) => Promise<unknown>} run
 * @returns {Promise<Sharing>}
 */
async function measure(arrivals, run) {
  const { makespan, latencies, cpu } = await serve(arrivals, run)
  return { makespan, latency: mean(latencies), cpu }
}

function oneAfterAnother() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve()
  /** @param {GenerateOptions} call */
  return call => (last = last.then(() => pipeline.generate(call)))
}

for (const { call } of requestsOf(1, 0).slice(0, 2)) await pipeline.generate(call) // warm
const alone = []
for (const { call } of requestsOf(2, 0).slice(0, 3)) {
  const started = performance.now()
  await pipeline.generate(call)
  alone.push(performance.now() - started)
}
const between = gap * median(alone)
/** @type {Sharing[]} */
const ratios = []
for (let round = 1; round <= rounds; round++) {
  const arrivals = requestsOf(10 + round, between)
  const sequential = () => measure(arrivals, oneAfterAnother())
  const shared = () => measure(arrivals, call => pipeline.generate(call))
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
