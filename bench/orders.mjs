// node bench/orders.mjs [--curves bench/step-curves.json] [--requests 16] [--rounds 40] [--loads 0.5,0.9,at-once]
// Which size goes next: the engine's turns in several orders, simulated with what steps were measured to take. `--curves` is
// the output of `node bench/batches.mjs --threads 1 --output FILE`: of one thread, because its CPU time is what a step takes.
// A load is the part of the machine's time that the requests would take one by one. Figures are means over the rounds, which
// have other requests each. First comes what it costs that sizes share no run, then the orders relative to the first of them.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { median } from '../dist/bench/statistics.js'
import { batchLimits, mostImages } from '../dist/engine/batch-limits.js'
import { gridOf } from '../dist/model/size.js'
import { mean } from './fleet/statistics.mjs'
import { share, table } from './markdown.mjs'
import { ORDERS, simulate } from './orders-simulation.mjs'
import { sizeOf, textOf, workload } from './requests.mjs'
/**
 * @import { Environment } from '../dist/bench/environment.js'
 * @import { Point } from './batches-process.mjs'
 * @import { Cost } from './orders-simulation.mjs'
 * @import { Size } from './requests.mjs'
 */

const PUBLISHED = { resolutionMultiple: 42.67, latentDimScale: 10.67 }

const { values } = parseArgs({
  options: {
    curves: { type: 'string', default: new URL('step-curves.json', import.meta.url).pathname },
    requests: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '40' },
    loads: { type: 'string', default: '0.5,0.9,at-once' }
  }
})
/** @type {{ machine: Environment, rounds: Point[][] }} */
const { machine, rounds: measured } = JSON.parse(readFileSync(values.curves, 'utf8'))
const costs = costsOf(measured.flat())
const requests = Number(values.requests)
const loads = values.loads.split(',')
/** What cpp/core/turns.h does. */
const OWN = 'steps by their cells'

console.log('Sizes that cost the same, relative to one size: until all are done, and until one is, mean\n')
const counts = [2, 4]
const same = Object.keys(costs).map(size => [
  size,
  ...loads.flatMap(load => counts.map(count => comparedWithOne(size, count, load)))
])
console.log(table([['Cost of', ...loads.flatMap(load => counts.map(count => `${count} sizes, load ${load}`))], ...same]))

const sizes = Object.keys(costs)
for (const load of loads) {
  const outcomes = Object.values(ORDERS).map(lead => simulateAll(sizes.map(sizeOf), costs, lead, load))
  const [first] = outcomes
  if (first === undefined) throw new Error('Expected at least one order')
  const rows = outcomes.map(({ makespan, latency, longest }, index) => [
    Object.keys(ORDERS)[index] ?? '',
    ...[makespan / first.makespan, latency / first.latency, longest / first.longest].map(share)
  ])
  console.log(`\n${sizes.join(', ')}; ${requests} requests, load ${load}\n`)
  console.log(table([['Order', 'Until all are done', 'Until one is, mean', 'The longest wait'], ...rows]))
}

/**
 * @param {string} size @param {number} count @param {string} load
 * @returns {string} so many sizes, each of which costs what `size` does, relative to one
 */
function comparedWithOne(size, count, load) {
  const outcomes = [1, count].map(many => {
    // Names of sizes, and no sizes: nothing is made.
    const own = Array.from({ length: many }, (_, index) => ({ ...sizeOf(size), width: index }))
    const cost = /** @type {Cost} */ (costs[size])
    const named = Object.fromEntries(own.map(each => [textOf(each), cost]))
    return simulateAll(own, named, /** @type {(typeof ORDERS)[string]} */ (ORDERS[OWN]), load)
  })
  const [one, more] = /** @type {[Means, Means]} */ (outcomes)
  return [more.makespan / one.makespan, more.latency / one.latency].map(share).join(', ')
}

/** Milliseconds. @typedef {{ makespan: number, latency: number, longest: number }} Means */

/**
 * @param {Size[]} of @param {Record<string, Cost>} costs @param {(typeof ORDERS)[string]} lead @param {string} load
 * @returns {Means} over the rounds
 */
function simulateAll(of, costs, lead, load) {
  const alone = mean(
    Object.values(costs).map(({ prior, decoder, pixels }) => 25 * (prior[1] ?? 0) + 11 * (decoder[1] ?? 0) + pixels)
  )
  const gap = load === 'at-once' ? 0 : alone / Number(load)
  const rounds = Array.from({ length: Number(values.rounds) }, (_, round) =>
    simulate(workload(10 + round, { requests, mean: gap, sizes: of }), costs, lead)
  )
  return {
    makespan: mean(rounds.map(({ makespan }) => makespan)),
    latency: mean(rounds.map(({ latencies }) => mean(latencies))),
    longest: mean(rounds.map(({ latencies }) => Math.max(...latencies)))
  }
}

/**
 * Medians of the rounds.
 * @param {Point[]} points
 * @returns {Record<string, Cost>}
 */
function costsOf(points) {
  /** @type {Record<string, Cost>} */
  const costs = {}
  for (const size of new Set(points.map(({ size }) => textOf(size)))) {
    const ofSize = points.filter(point => textOf(point.size) === size)
    const batches = [...new Set(ofSize.map(({ images }) => images))]
    const middle = (/** @type {number} */ images, /** @type {(point: Point) => number} */ of) =>
      median(ofSize.filter(point => point.images === images).map(of))
    const curve = (/** @type {'prior' | 'decoder'} */ stage) =>
      Object.fromEntries(batches.map(images => [images, middle(images, point => point[stage].cpu)]))
    const { width, height } = sizeOf(size)
    const cells = gridOf(width, PUBLISHED) * gridOf(height, PUBLISHED)
    const most = mostImages(batchLimits('cpu', machine.threads), cells)
    costs[size] = { prior: curve('prior'), decoder: curve('decoder'), pixels: middle(1, point => point.pixels.cpu), cells, most }
  }
  return costs
}
