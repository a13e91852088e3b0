import { ownersOf, readTrace, timesOf, wishOf } from './arrivals.mjs'
import { simulate } from './fleet.mjs'
import { DEFAULT_STEPS, paceOf } from './kinds.mjs'
import { loadOf, readQueueLoad, reportsOf, serversFor } from './load.mjs'
import { randomOf } from './random.mjs'
import { mean, quantile } from './statistics.mjs'
/**
 * @import { Pattern, Wish } from './arrivals.mjs'
 * @import { Scenario } from './fleet.mjs'
 * @import { Kind } from './kinds.mjs'
 * @import { Scaling } from './scaler.mjs'
 */

/**
 * A fleet, as somebody who plans it thinks of it.
 * @typedef {object} Plan
 * @property {Kind} kind
 * @property {number} workers at the beginning, and at most
 * @property {Pattern} pattern
 * @property {string} [trace] a file, instead of a pattern
 * @property {number} [load] the rate as a part of what full batches of all workers would give
 * @property {number} [rate] pictures a second
 * @property {number} seconds
 * @property {number} [day] seconds of a day of the diurnal pattern
 * @property {number} [keys] of clients, 100 by default
 * @property {boolean} [skewed] the k-th key asks 1/k as often as the first
 * @property {number} [cells] queues
 * @property {Scenario['route']} [route]
 * @property {number} [mtbfHours] of a worker
 * @property {Pick<Scaling, 'signal' | 'targetSeconds' | 'startUpSeconds'>} [scaling]
 * @property {number} seed
 */

/** A worker is silent for so long before another one has its jobs: lib/server/queue/tickets.ts. */
const TAKE_OVER_SECONDS = /** @type {[number, number]} */ ([30, 40])
/** KEDA's pollingInterval of deploy/queue, and the window of Kubernetes. */
const [POLL_SECONDS, CALM_SECONDS] = [15, 300]
/** What comes in the first part of a run meets an empty fleet. */
const WARM_UP = 0.1

/** @param {Plan} plan */
export function planOf(plan) {
  const { kind, workers, seconds, seed, cells = 1, route, mtbfHours, scaling } = plan
  const startUpSeconds = scaling?.startUpSeconds ?? 120
  const result = simulate({
    ...{ kind, workers, cells, seed: seed + 1, seconds, warmUpSeconds: WARM_UP * seconds, wishes: wishesOf(plan) },
    ...(route && { route }),
    ...(mtbfHours && {
      failures: { mtbfSeconds: mtbfHours * 3600, repairSeconds: startUpSeconds, takeOverSeconds: TAKE_OVER_SECONDS }
    }),
    ...(scaling && {
      scaling: { ...scaling, least: 1, most: workers / cells, pollSeconds: POLL_SECONDS, calmSeconds: CALM_SECONDS }
    })
  })
  const waits = result.done.map(({ wait }) => wait)
  const latencies = result.done.map(({ latency }) => latency)
  const jobs = result.finished / result.seconds
  const steps = DEFAULT_STEPS.priorSteps + DEFAULT_STEPS.decoderSteps
  const reports = reportsOf(steps, mean(latencies) - mean(waits))
  const servers = serversFor(jobs / cells)
  const queue = loadOf(readQueueLoad().points)({ servers, workers: workers / cells, reports, jobs: jobs / cells })
  return {
    ...{ pictures: result.pictures, failed: result.failed, picturesASecond: result.pictures / result.seconds },
    ...{ waitMean: mean(waits), waitP50: quantile(waits, 0.5), waitP95: quantile(waits, 0.95) },
    ...{ waitP99: quantile(waits, 0.99), latencyP50: quantile(latencies, 0.5) },
    ...{
      latencyP95: quantile(latencies, 0.95),
      latencyP99: quantile(latencies, 0.99),
      utilisation: result.utilisation,
      meanBatch: result.meanBatch
    },
    ...{ machineHours: result.machineHours, costOfThousand: result.costOfThousand, workersEnded: result.workersEnded },
    ...{ takenOver: result.takenOver, queueCommands: queue.commands, queueThread: queue.seconds },
    ...{ queueBytesSent: queue.sent, queueBytesReceived: queue.received }
  }
}

/** @param {Plan} plan @returns {Generator<Wish, void>} */
function* wishesOf({ kind, workers, pattern, trace, load = 0.8, rate, keys = 100, skewed = false, day, seed }) {
  if (trace !== undefined) return yield* readTrace(trace, DEFAULT_STEPS)
  const random = randomOf(seed)
  const owner = ownersOf(keys, skewed, random)
  for (const at of timesOf(pattern, rate ?? load * workers * paceOf(kind), random, day))
    yield wishOf({ at, owner: owner(), images: 1, ...DEFAULT_STEPS }, DEFAULT_STEPS)
}
