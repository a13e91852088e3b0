import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { root } from '../places.mjs'
import { RedisServer } from '../scale/redis.mjs'
import { clientOf, start } from '../serve-process.mjs'
import { timesOf, wishOf } from './arrivals.mjs'
import { calibrate, Engines } from './calibrate.mjs'
import { simulate } from './fleet.mjs'
import { DEFAULT_STEPS, paceOf, readKinds } from './kinds.mjs'
import { randomOf } from './random.mjs'
import { mean, quantile } from './statistics.mjs'
/**
 * @import { Calibration } from './calibrate.mjs'
 * @import { Wish } from './arrivals.mjs'
 */

/** @typedef {'burst' | 'poisson'} Stream */
/** Seconds: until the last one is there, and of a request from when it was due until its picture is there. */
/** @typedef {{ makespan: number, mean: number, p50: number, p95: number }} Times */
/** @typedef {{ stream: Stream, workers: number, measured: Times, simulated: Times }} Comparison */

const SIDE = 256
const BODY = { prompt: 'a red house by the sea', size: `${SIDE}x${SIDE}`, response_format: 'b64_json' }
const SAMPLING = { width: SIDE, height: SIDE, ...DEFAULT_STEPS }
/** Load of the Poisson stream, as a part of what full batches would give. */
const LOAD = 0.7
/** Workers that may take a job do so by chance: the mean of so many simulations is what is expected. */
const SIMULATIONS = 50
/** Lone requests, whose time beside the engine's is what HTTP, queue and files take. */
const LONE = 5

/**
 * One server, workers of one thread on this machine, Redis: what clients measure beside what the simulation says. The engine is
 * measured before and after each, so that a slow machine slows both.
 * @param {{ model: string, counts: readonly number[], requests: number, runs: number, seed: number, say: (line: string) => void }} options
 * @returns {Promise<Comparison[]>}
 */
export async function validate({ model, counts, requests, runs, seed, say }) {
  /** @type {Comparison[]} */
  const comparisons = []
  for (const workers of counts) {
    const engines = await Engines.start({ model, threads: 1, count: workers })
    const fleet = await startFleet(model, workers, requests)
    const { maxBatch } = /** @type {{ maxBatch: number }} */ (readKinds().cpu)
    const measure = () => calibrate(engines, { count: workers, runs, maxBatch, sampling: SAMPLING })
    try {
      // The first calls of a process are slower.
      await engines.measure(workers, { images: maxBatch, runs: 1, sampling: SAMPLING })
      await fleet.send(Array(2 * workers).fill(0))
      let before = await measure()
      for (const stream of /** @type {const} */ (['burst', 'poisson'])) {
        const pace = before.slowed.length / /** @type {number} */ (before.slowed.at(-1)) * paceOf(before.kind)
        const times = stream === 'burst' ? Array(requests).fill(0) : poisson(LOAD * pace, requests, seed)
        const lone = []
        for (let index = 0; index < LONE; index++) lone.push(...(await fleet.send([0])))
        const measured = timesOfStream(times, await fleet.send(times))
        const after = await measure()
        const simulated = expected(times, workers, between(before, after), quantile(lone, 0.5))
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

/** @param {string} model @param {number} workers @param {number} requests */
async function startFleet(model, workers, requests) {
  const redis = await RedisServer.start()
  const cli = join(root, 'dist', 'cli', 'main.js')
  const shared = ['--queue', redis.url, '--port', '0', '--log-level', 'info']
  const most = String(2 * requests)
  const server = await start(process.execPath, [cli, 'serve', ...shared, '--max-queued', most, '--max-queued-per-key', most])
  const all = await Promise.all(
    Array.from({ length: workers }, () =>
      start(process.execPath, [cli, 'worker', ...shared, '--model', `tiny=${model}`, '--threads', '1', '--device', 'cpu'])
    )
  )
  const offered = async () => /^wuerstchen_queue_workers\{[^}]*\} (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]
  while (Number(await offered()) !== workers) await delay(200)
  const client = clientOf(server.url, requests)
  return {
    /**
     * Requests at their times, each on a connection of its own.
     * @param {readonly number[]} times seconds
     * @returns {Promise<number[]>} seconds of each, from when it was due
     */
    async send(times) {
      const began = performance.now()
      const replies = times.map(async at => {
        const due = began + 1000 * at
        await delay(Math.max(0, due - performance.now()))
        const { status } = await client.post('/v1/images/generations', BODY)
        if (status !== 200) throw new Error(`Expected an image but received HTTP ${status}`)
        return (performance.now() - due) / 1000
      })
      return Promise.all(replies)
    },
    async close() {
      client.close()
      await Promise.all([server, ...all].map(each => each.stop()))
      await redis.stop()
    }
  }
}

/** @param {number} rate @param {number} requests @param {number} seed */
function poisson(rate, requests, seed) {
  const times = timesOf('poisson', rate, randomOf(seed))
  return Array.from({ length: requests }, () => times.next().value)
}

/**
 * What the simulation expects of the same requests.
 * @param {readonly number[]} times @param {number} workers @param {Calibration} calibration @param {number} lone seconds of a lone request
 * @returns {Times}
 */
function expected(times, workers, { kind, slowed }, lone) {
  /** @type {Wish[]} */
  const wishes = times.map(at => wishOf({ at, owner: 'ann', images: 1, ...DEFAULT_STEPS }, DEFAULT_STEPS))
  const [first] = /** @type {[Wish]} */ (wishes)
  const run = (/** @type {Wish[]} */ all, /** @type {number} */ seed) => simulate({ kind, slowed, workers, seed, wishes: all }).done
  const engine = /** @type {{ latency: number }} */ (run([{ ...first, at: 0 }], 1)[0]).latency
  const runs = Array.from({ length: SIMULATIONS }, (_, seed) => {
    const done = run(wishes, seed).toSorted((a, b) => a.at - b.at)
    return timesOfStream(done.map(({ at }) => at), done.map(({ latency }) => latency + lone - engine))
  })
  const middle = (/** @type {keyof Times} */ name) => mean(runs.map(each => each[name]))
  return { makespan: middle('makespan'), mean: middle('mean'), p50: middle('p50'), p95: middle('p95') }
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
    Object.fromEntries(Object.entries(a.kind[name]).map(([at, value]) => [at, half(value, /** @type {number} */ (b.kind[name][at]))]))
  return {
    kind: {
      ...{ ...a.kind, prior: curve('prior'), decoder: curve('decoder') },
      ...{ pixels: half(a.kind.pixels, b.kind.pixels), once: half(a.kind.once, b.kind.once) }
    },
    slowed: a.slowed.map((value, index) => half(value, /** @type {number} */ (b.slowed[index]))),
    file: half(a.file, b.file)
  }
}

/** @param {Times} times */
function text(times) {
  return Object.entries(times)
    .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
    .join(', ')
}
