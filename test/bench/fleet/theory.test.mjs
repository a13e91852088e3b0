import { expect, test } from 'vitest'
import { timesOf } from '../../../bench/fleet/arrivals.mjs'
import { simulate } from '../../../bench/fleet/fleet.mjs'
import { randomOf } from '../../../bench/fleet/random.mjs'
import { mean } from '../../../bench/fleet/statistics.mjs'

/** @import { Kind } from '../../../bench/fleet/kinds.mjs' */

/** One job at a time, of one step, whose time is the wish's area: a server of queueing theory. @type {Kind} */
const SERVER = { prior: { 1: 1 }, decoder: { 1: 1 }, pixels: 0, once: 0, maxBatch: 1, maxRunningImages: 1 }

/** @param {{ rate: number, jobs: number, seed: number, service: (random: ReturnType<typeof randomOf>) => number }} options */
function* wishes({ rate, jobs, seed, service }) {
  const random = randomOf(seed)
  const times = timesOf('poisson', rate, random)
  for (let index = 0; index < jobs; index++)
    yield { at: times.next().value, owner: 'ann', images: 1, priorSteps: 1, decoderSteps: 0, area: service(random), cost: 1 }
}

/** Mean wait in queue, by the closed formula of each queue; the mean service time is 1. */
const mm1 = (/** @type {number} */ load) => load / (1 - load)
const md1 = (/** @type {number} */ load) => load / (2 * (1 - load))
/** Erlang's C formula. @param {number} servers @param {number} load of each */
function mmc(servers, load) {
  const offered = servers * load
  let [term, sum] = [1, 1]
  for (let index = 1; index < servers; index++) sum += term *= offered / index
  const last = (term * offered) / servers / (1 - load)
  return last / (sum + last) / (servers * (1 - load))
}

const exponential = (/** @type {ReturnType<typeof randomOf>} */ random) => random.exponential(1)

test.each([
  ['M/M/1', 1, 0.7, exponential, mm1(0.7)],
  ['M/D/1', 1, 0.7, () => 1, md1(0.7)],
  ['M/M/2', 2, 0.8, exponential, mmc(2, 0.8)],
  ['M/M/5', 5, 0.8, exponential, mmc(5, 0.8)]
])('the mean wait of %s with %i servers and a load of %d is the one of its formula', (_name, workers, load, service, formula) => {
  const jobs = 250_000
  const { done, utilisation } = simulate({
    ...{ kind: SERVER, workers, seed: 2, wishes: wishes({ rate: workers * load, jobs, seed: 1, service }) },
    warmUpSeconds: 1000
  })
  // Waits follow each other closely: with these loads, runs of 250,000 jobs differ by 1.5 % (standard deviation). Three of them.
  expect(Math.abs(mean(done.map(({ wait }) => wait)) / formula - 1)).toBeLessThan(0.045)
  expect(utilisation).toBeCloseTo(load, 2)
})

test("Little's law: those present on average are the rate times the mean time that each is there", () => {
  const { done, meanPresent, seconds } = simulate({
    ...{ kind: SERVER, workers: 3, seed: 2, wishes: wishes({ rate: 2.5, jobs: 20_000, seed: 3, service: exponential }) }
  })
  expect(done).toHaveLength(20_000)
  const rate = done.length / seconds
  // Both sides are sums of the same times: only rounding differs.
  expect(meanPresent / (rate * mean(done.map(({ latency }) => latency)))).toBeCloseTo(1, 9)
})

test('the same seed gives the same result, another one does not', () => {
  const run = (/** @type {number} */ seed) => {
    const { done } = simulate({
      ...{ kind: SERVER, workers: 3, seed, wishes: wishes({ rate: 2.5, jobs: 2000, seed, service: exponential }) }
    })
    return done
  }
  expect(run(5)).toEqual(run(5))
  expect(run(6)).not.toEqual(run(5))
})
