import { setTimeout as delay } from 'node:timers/promises'
import { askFor } from './client.mjs'
import { Place } from './hosts.mjs'
import { Network } from './network.mjs'
import { startQueue } from './queues.mjs'

/**
 * @import { End, Wish } from './client.mjs'
 * @import { QueueKind, QueueServer } from './queues.mjs'
 * @typedef {Map<string, { message: string, workers: string[] }>} Reasons why jobs failed, and the workers that it says, by prompt
 */

/**
 * @typedef {object} ChaosOptions
 * @property {number} seconds of disturbance
 * @property {number} jobs
 * @property {number} seed
 * @property {QueueKind} kind of the queue's database
 * @property {'everysec' | 'always'} fsync of Redis
 * @property {string} model
 * @property {(line: string) => void} say
 */

const [SERVERS, WORKERS] = [2, 4]
const KEYS = ['ann', 'bob', 'eve', 'kim'].map(name => ({ name, key: `${name}-has-a-key-of-her-own` }))
/** Shorter than in earnest, so that a run has many takeovers; the same code. */
const TIMES = { lockMs: 3000, checkMs: 500 }
const [STEPS, STEP_MS] = [5, 60]
/** What happens, how often in seconds, and how many times at most. */
const EVERY = { worker: 2, server: 10, stop: 9, cut: 7, look: 5 }
const RESTARTS = 5
/** What is not over when nothing is disturbed any more, and no job has ended for so long, is lost. A slow machine is slow. */
const CALM_SECONDS = 60

/** @param {ChaosOptions} options */
export async function chaos({ seconds, jobs, seed, kind, fsync, model, say }) {
  const random = generator(seed)
  const pick = (/** @type {readonly any[]} */ list) => list[Math.floor(random() * list.length)]
  const database = await startQueue(kind, { fsync })
  const network = new Network(database.url)
  const queue = await network.open()
  const shared = { queue, apiKeys: KEYS.map(({ name, key }) => `${name}:${key}`), times: TIMES, steps: STEPS, stepMs: STEP_MS }
  const limits = { maxQueued: 10_000, maxQueuedPerKey: 10_000, maxRunningImages: 4, maxKeptJobs: 100_000 }
  /** @type {Map<string, number>} */
  const runs = new Map()
  /** @type {Reasons} */
  const reasons = new Map()
  /** Workers whose process has ended. @type {Set<string>} */
  const dead = new Set()
  const places = (/** @type {'server' | 'worker'} */ role, /** @type {number} */ count) =>
    Array.from(
      { length: count },
      () =>
        new Place(
          { ...shared, role, limits, ...(role === 'worker' ? { models: { tiny: model } } : {}) },
          ({ started }) => {
            if (started !== undefined) runs.set(started, (runs.get(started) ?? 0) + 1)
          },
          worker => dead.add(worker)
        )
    )
  const servers = places('server', SERVERS)
  const workers = places('worker', WORKERS)
  const counts = { workersKilled: 0, serversKilled: 0, stopped: 0, cuts: 0, restarts: 0 }
  try {
    while ([...servers, ...workers].some(({ address }) => address === undefined)) await delay(100)
    const began = performance.now()
    let until = began + (seconds + CALM_SECONDS) * 1000
    const calm = new AbortController()
    const disturbing = [
      every(EVERY.look, calm.signal, async () => void (await readFailures(database, reasons))),
      every(EVERY.worker, calm.signal, async () => {
        pick(workers).signal('SIGKILL')
        counts.workersKilled++
      }),
      every(EVERY.server, calm.signal, async () => {
        pick(servers).signal('SIGKILL')
        counts.serversKilled++
      }),
      every(EVERY.stop, calm.signal, async () => {
        const place = pick(workers)
        counts.stopped++
        place.signal('SIGSTOP')
        await delay(TIMES.lockMs + 3 * TIMES.checkMs)
        place.signal('SIGCONT')
      }),
      every(EVERY.cut, calm.signal, async () => {
        network.cut()
        counts.cuts++
      }),
      every(seconds / (RESTARTS + 1), calm.signal, async () => {
        if (counts.restarts >= RESTARTS) return
        counts.restarts++
        await database.kill()
        await delay(200 + 1300 * random())
        await database.start()
      })
    ]
    const server = () => pick(servers.filter(({ address }) => address !== undefined))?.address
    /** @type {Promise<End>[]} */
    const asking = []
    for (let index = 0; index < jobs; index++) {
      const asked = askFor(wishOf(index, random, pick), { server, until: () => until })
      asking.push(asked)
      void asked.then(() => {
        until = Math.max(until, performance.now() + CALM_SECONDS * 1000)
      })
      await delay((0.8 * seconds * 1000) / jobs)
    }
    await delay(Math.max(0, began + seconds * 1000 - performance.now()))
    calm.abort()
    await Promise.all(disturbing)
    for (const worker of workers) worker.signal('SIGCONT')
    const calmed = performance.now()
    say('nothing is disturbed any more')
    const ends = await Promise.all(asking)
    while (!(await readFailures(database, reasons))) await delay(100)
    if (ends.some(({ state }) => state === 'lost')) for (const line of await database.unfinished()) say(line)
    return {
      ...summary(ends, runs),
      ...explained(ends, reasons, dead),
      ...counts,
      recoverySeconds: round((performance.now() - calmed) / 1000)
    }
  } finally {
    await Promise.all([...servers, ...workers].map(place => place.close()))
    network.close()
    await database.stop()
  }
}

/**
 * Why jobs have failed, which servers keep to themselves. Jobs whose client waited are forgotten after a minute, so it is read
 * again and again.
 * @param {QueueServer} database @param {Reasons} reasons
 * @returns {Promise<boolean>} whether all of it could be read
 */
async function readFailures(database, reasons) {
  try {
    for (const { key, message, workers } of await database.failures()) reasons.set(key, { message, workers })
    return true
  } catch {
    // It is down: the next look tells.
    return false
  }
}

/**
 * How many jobs failed for each reason that the queue has, and those whose reason is not true, as far as is seen from outside: a
 * job that fails since it ends its workers names two, and both were killed.
 * @param {End[]} ends @param {Reasons} reasons @param {ReadonlySet<string>} dead
 */
function explained(ends, reasons, dead) {
  /** @type {Record<string, number>} */
  const failures = {}
  const unexplained = []
  for (const { state, wish, error } of ends) {
    if (state !== 'failed') continue
    const { message, workers } = reasons.get(wish.name) ?? { message: `${error}, as a server says`, workers: [] }
    failures[message] = (failures[message] ?? 0) + 1
    const killed = workers.filter(worker => dead.has(worker)).length
    if (!message.startsWith('2 workers ended') || killed < 2) unexplained.push(`${wish.name}: ${message} (${killed} were killed)`)
  }
  return { failures, unexplained }
}

/** @param {number} index @param {() => number} random @param {(list: readonly any[]) => any} pick @returns {Wish} */
function wishOf(index, random, pick) {
  const way = pick(['job', 'job', 'job', 'wait', 'stream'])
  return {
    ...{ name: `picture-${index}`, key: pick(KEYS).key, way, images: pick([1, 1, 1, 2, 3]) },
    cancels: way === 'job' && random() < 0.1
  }
}

/** @param {End[]} ends @param {Map<string, number>} runs by prompt */
function summary(ends, runs) {
  const count = (/** @type {string} */ state) => ends.filter(end => end.state === state).length
  const unaccepted = count('never accepted')
  const twice = ends.flatMap(({ twice: said }) => (said === undefined ? [] : [said.slice(0, 400)]))
  /** @type {Record<string, number>} */
  const reasons = {}
  for (const { state, error } of ends)
    if (state === 'failed' || state === 'lost') reasons[error ?? ''] = (reasons[error ?? ''] ?? 0) + 1
  return {
    ...{ asked: ends.length, accepted: ends.length - unaccepted, finished: count('succeeded'), failed: count('failed') },
    ...{ reasons, cancelled: count('cancelled'), lost: count('lost'), seenTwice: twice.length },
    ...(twice.length === 0 ? {} : { twice }),
    extraRuns: [...runs.values()].reduce((sum, times) => sum + times - 1, 0),
    longestWaitSeconds: round(Math.max(...ends.map(({ seconds }) => seconds)))
  }
}

/** @param {number} seconds @param {AbortSignal} signal @param {() => Promise<void>} act */
async function every(seconds, signal, act) {
  while (!signal.aborted) {
    await delay(seconds * 1000, undefined, { signal }).catch(() => {})
    if (!signal.aborted) await act()
  }
}

/** The same numbers for the same seed: mulberry32. @param {number} seed */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10
