import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { timesOf, wishOf } from './arrivals.mjs'
import { calibrate, Engines } from './calibrate.mjs'
import { simulate } from './fleet.mjs'
import { DEFAULT_STEPS, paceOf } from './kinds.mjs'
import { randomOf } from './random.mjs'
import { MAX_BATCH, startFleet } from './real.mjs'
import { mean, quantile } from './statistics.mjs'
/**
 * @import { Calibration } from './calibrate.mjs'
 * @import { Wish } from './arrivals.mjs'
 * @import { RealFleet } from './real.mjs'
 */

/** @typedef {'burst' | 'poisson'} Stream */
/** Seconds: until the last one is there, and of a request from when it was due until its picture is there. */
/** @typedef {{ makespan: number, mean: number, p50: number, p95: number }} Times */
/** The mean number of images in an engine's turn does not depend on how fast the machine is just now. */
/** @typedef {Times & { batch: number }} Figures */
/**
 * @typedef {object} ValidateOptions
 * @property {string} model
 * @property {readonly number[]} counts of workers
 * @property {number} requests
 * @property {number} rounds
 * @property {number} seed
 * @property {(line: string) => void} say
 */
/** @typedef {{ stream: Stream, workers: number, measured: Figures, simulated: Figures }} Comparison */

const SIDE = 256
const BODY = { prompt: 'a red house by the sea', size: `${SIDE}x${SIDE}` }
const STEPS = DEFAULT_STEPS.priorSteps + DEFAULT_STEPS.decoderSteps
const SAMPLING = { width: SIDE, height: SIDE, ...DEFAULT_STEPS }
/** Load of the Poisson stream, as a part of what full batches would give. */
const LOAD = 0.5
/** Workers that may take a job do so by chance: the mean of so many simulations is what is expected. */
const SIMULATIONS = 50
/** Lone requests, whose time beside the engine's is what HTTP, queue and files take. */
const LONE = 5
/** Calls of each size of batch in one measurement of an engine. */
const RUNS = 3

/**
 * One server, workers of one thread on this machine, Redis: what clients measure beside what the simulation says. The engine is
 * measured before and after each, so that a slow machine slows both.
 * @param {ValidateOptions} options
 * @returns {Promise<Comparison[]>}
 */
export async function validate({ model, counts, requests, rounds, seed, say }) {
  /** @type {Comparison[]} */
  const comparisons = []
  for (const workers of counts) {
    const engines = await Engines.start({ model, threads: 1, maxBatch: MAX_BATCH, count: workers })
    const fleet = await startFleet(model, workers, requests)
    const measure = () => calibrate(engines, { count: workers, runs: RUNS, maxBatch: MAX_BATCH, sampling: SAMPLING })
    try {
      // The first calls of a process are slower.
      await engines.measure(workers, { images: MAX_BATCH, runs: 1, sampling: SAMPLING })
      await send(fleet, Array(2 * workers).fill(0))
      let before = await measure()
      for (let round = 0; round < 2 * rounds; round++) {
        const stream = round % 2 === 0 ? 'burst' : 'poisson'
        const pace = (before.slowed.length / /** @type {number} */ (before.slowed.at(-1))) * paceOf(before.kind)
        const times = stream === 'burst' ? Array(requests).fill(0) : poisson(LOAD * pace, requests, seed + round)
        const lone = []
        const spent = fleet.processorSeconds()
        for (let index = 0; index < LONE; index++) lone.push(...(await send(fleet, [0])))
        const processor = (fleet.processorSeconds() - spent) / LONE
        const turns = await fleet.turns()
        const latencies = await send(fleet, times)
        const batch = (requests * STEPS) / ((await fleet.turns()) - turns)
        const measured = { ...timesOfStream(times, latencies), batch }
        const after = await measure()
        const simulated = expected(times, workers, between(before, after), { seconds: quantile(lone, 0.5), processor })
        before = after
        comparisons.push({ stream, workers, measured, simulated })
        say(`${stream}, ${workers} workers: measured ${text(measured)}; simulated ${text(simulated)}`)
      }
    } finally {
      engines.close()
      await fleet.close()
    }
  }
  return comparisons
}

/** @param {number} rate @param {number} requests @param {number} seed */
function poisson(rate, requests, seed) {
  const times = timesOf('poisson', rate, randomOf(seed))
  return Array.from({ length: requests }, () => times.next().value)
}

/**
 * What the simulation expects of the same requests.
 * @param {readonly number[]} times @param {number} workers @param {Calibration} calibration
 * @param {{ seconds: number, processor: number }} lone what a lone request takes, and what of it the processors spend
 * @returns {Figures}
 */
function expected(times, workers, { kind, slowed, file }, lone) {
  /** @type {Wish[]} */
  const wishes = times.map(at => wishOf({ at, owner: 'ann', images: 1, ...DEFAULT_STEPS }, DEFAULT_STEPS))
  const [first] = /** @type {[Wish]} */ (wishes)
  const alone = simulate({ kind, workers: 1, seed: 1, wishes: [{ ...first, at: 0 }] })
  const engine = /** @type {{ latency: number }} */ (alone.done[0]).latency
  const shared = { kind, slowed: slowedBeside(slowed, (lone.processor - engine) * paceOf(kind)), workers }
  // What a lone request takes beside its engine and its file: a third each for the server, the worker that takes it, and its end.
  const third = Math.max(0, lone.seconds - engine - file) / 3
  const runs = Array.from({ length: SIMULATIONS }, (_, seed) => {
    const { done, meanBatch } = simulate({ ...shared, seed, wishes, takeSeconds: third, handOverSeconds: file + third })
    const latencies = done.map(({ latency }) => latency + third)
    return {
      ...timesOfStream(
        done.map(({ at }) => at),
        latencies
      ),
      batch: meanBatch
    }
  })
  const middle = (/** @type {keyof Times | 'batch'} */ name) => mean(runs.map(each => each[name]))
  const [makespan, p50, p95] = [middle('makespan'), middle('p50'), middle('p95')]
  return { makespan, mean: middle('mean'), p50, p95, batch: middle('batch') }
}

/**
 * Clients, server, queue, HTTP and files share the cores with the engines: where these alone keep all cores busy, all of it takes
 * longer in the same measure.
 * @param {readonly number[]} slowed how much longer a turn takes while one engine works, two, …
 * @param {number} beside what the processors spend on the rest, as a part of what they spend on the engine
 */
function slowedBeside(slowed, beside) {
  const cores = cpus().length
  return slowed.map((factor, index) => factor * Math.max(1, (Math.min(index + 1, cores) / cores) * (1 + Math.max(0, beside))))
}

/**
 * Requests at their times, each on a connection of its own.
 * @param {RealFleet} fleet @param {readonly number[]} times seconds
 * @returns {Promise<number[]>} seconds of each, from when it was due
 */
async function send(fleet, times) {
  const began = performance.now()
  const replies = times.map(async at => {
    const due = began + 1000 * at
    await delay(Math.max(0, due - performance.now()))
    await fleet.post('/v1/images/generations', BODY)
    return (performance.now() - due) / 1000
  })
  return Promise.all(replies)
}

/** @param {readonly number[]} times @param {readonly number[]} latencies @returns {Times} */
function timesOfStream(times, latencies) {
  return {
    makespan: Math.max(...times.map((at, index) => at + /** @type {number} */ (latencies[index]))),
    mean: mean(latencies),
    p50: quantile(latencies, 0.5),
    p95: quantile(latencies, 0.95)
  }
}

/** The engine before and after. @param {Calibration} a @param {Calibration} b @returns {Calibration} */
function between(a, b) {
  const half = (/** @type {number} */ x, /** @type {number} */ y) => (x + y) / 2
  const curve = (/** @type {'prior' | 'decoder'} */ name) =>
    Object.fromEntries(
      Object.entries(a.kind[name]).map(([at, value]) => [at, half(value, /** @type {number} */ (b.kind[name][at]))])
    )
  return {
    kind: {
      ...{ ...a.kind, prior: curve('prior'), decoder: curve('decoder') },
      ...{ pixels: half(a.kind.pixels, b.kind.pixels), once: half(a.kind.once, b.kind.once) }
    },
    slowed: a.slowed.map((value, index) => half(value, /** @type {number} */ (b.slowed[index]))),
    file: half(a.file, b.file)
  }
}

/** @param {Figures} figures */
function text({ batch, ...times }) {
  const seconds = Object.entries(times).map(([name, value]) => `${name} ${value.toFixed(2)} s`)
  return `${seconds.join(', ')}, ${batch.toFixed(2)} images a turn`
}

/**
 * How far the simulation is from what was measured, at the worst: of the makespan and the mean time, by stream and number of
 * workers, the middle of the rounds.
 * @param {readonly Comparison[]} comparisons
 */
export function worstOf(comparisons) {
  const names = new Set(comparisons.map(({ stream, workers }) => `${stream} ${workers}`))
  const differences = [...names].flatMap(group => {
    const rounds = comparisons.filter(({ stream, workers }) => `${stream} ${workers}` === group)
    return /** @type {const} */ (['makespan', 'mean']).map(name => {
      const ratios = rounds.map(({ measured, simulated }) => simulated[name] / measured[name])
      return Math.abs(quantile(ratios, 0.5) - 1)
    })
  })
  return Math.max(...differences)
}
