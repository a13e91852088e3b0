// node bench/orders.mjs [--curves bench/step-curves.json] [--requests 16] [--rounds 40] [--loads 0.5,0.9,at-once]
// Which size goes next: the engine's turns in several orders, simulated with what steps were measured to take. `--curves` is
// the output of `node bench/batches.mjs --threads 1 --output FILE`: of one thread, because its CPU time is what a step takes.
// A load is the part of the machine's time that the requests would take one by one. Figures are means over the rounds, which
// have other requests each, relative to the first order.
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
const names = Object.keys(ORDERS)
const sizes = Object.keys(costs)
/** The mean request, alone. */
const alone = mean(
  Object.values(costs).map(({ prior, decoder, pixels }) => 25 * (prior[1] ?? 0) + 11 * (decoder[1] ?? 0) + pixels)
)

for (const load of values.loads.split(',')) {
  const gap = load === 'at-once' ? 0 : alone / Number(load)
  const outcomes = Object.values(ORDERS).map(lead => {
    const rounds = Array.from({ length: Number(values.rounds) }, (_, round) => {
      const arrivals = workload(10 + round, { requests, mean: gap, sizes: sizes.map(sizeOf) })
      return simulate(arrivals, costs, lead)
    })
    return {
      makespan: mean(rounds.map(({ makespan }) => makespan)),
      latency: mean(rounds.map(({ latencies }) => mean(latencies))),
      longest: mean(rounds.map(({ latencies }) => Math.max(...latencies)))
    }
  })
  const [first] = outcomes
  if (first === undefined) throw new Error('Expected at least one order')
  const rows = outcomes.map(({ makespan, latency, longest }, index) => [
    names[index] ?? '',
    ...[makespan / first.makespan, latency / first.latency, longest / first.longest].map(share)
  ])
  console.log(`\n${sizes.join(', ')}; ${requests} requests, load ${load}\n`)
  console.log(table([['Order', 'Until all are done', 'Until one is, mean', 'The longest wait'], ...rows]))
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
