import { readFileSync } from 'node:fs'

/**
 * What the queue's database has to do, as numbers of one kind: commands with those inside scripts, seconds of its thread, bytes
 * that it sends and receives.
 * @typedef {{ commands: number, seconds: number, sent: number, received: number }} Load
 */

/**
 * One measurement: so many servers and workers, idle, and what one job added to that.
 * @typedef {{ servers: number, workers: number, reports: number, idle: Load, job: Load }} Point
 */

/** @typedef {{ servers: number, workers: number, reports: number }} Place of jobs that tell of their steps so often */
/** @typedef {(place: Place) => number[]} Terms */

/** @type {readonly (keyof Load)[]} */
export const LOADS = ['commands', 'seconds', 'sent', 'received']

/**
 * What a second costs while nothing is asked for: each worker looks for work, extends its locks and says that it is there; each
 * server looks at all workers every second, and whenever one says something: a list of all of them to each.
 * @type {Terms}
 */
const idleTerms = ({ servers, workers }) => [workers, servers, servers * workers, servers * workers * workers]

/** What a job costs: its own commands, reports of steps, and messages that all workers hear, who then look. @type {Terms} */
const jobTerms = ({ workers, reports }) => [1, reports, workers]

/** A run tells of its steps this often at most: lib/server/queue/voice.ts. */
const REPORT_SECONDS = 0.2

/**
 * How often a job tells of its steps alone: of the first one at once, and of the last one with its image.
 * @param {number} steps @param {number} seconds that all of them take
 */
export function reportsOf(steps, seconds) {
  return Math.min(steps - 1, 1 + Math.floor(seconds / REPORT_SECONDS))
}

/** @returns {{ about: string, machine: string, date: string, points: Point[], kinds: Record<string, Load> }} */
export function readQueueLoad() {
  return JSON.parse(readFileSync(new URL('queue-load.json', import.meta.url), 'utf8'))
}

/**
 * What a queue has to do in a second, from measurements with few workers.
 * @param {readonly Point[]} points
 * @returns {(place: Place & { jobs: number }) => Load}
 */
export function loadOf(points) {
  const fitted = Object.fromEntries(
    LOADS.map(name => {
      const idle = fit(
        points.map(idleTerms),
        points.map(point => point.idle[name])
      )
      const job = fit(
        points.map(jobTerms),
        points.map(point => point.job[name])
      )
      return [name, { idle, job }]
    })
  )
  return place => {
    const value = (/** @type {keyof Load} */ name) => {
      const { idle, job } = /** @type {{ idle: number[], job: number[] }} */ (fitted[name])
      return dot(idle, idleTerms(place)) + place.jobs * dot(job, jobTerms(place))
    }
    return { commands: value('commands'), seconds: value('seconds'), sent: value('sent'), received: value('received') }
  }
}

/** What a queue can do at most: its one thread not more than so much of the time, and a network of 10 Gbit/s. */
const MOST = { seconds: 0.6, sent: 1.25e9, received: 1.25e9 }
const NAMES = { seconds: "Redis' thread", sent: 'the network from Redis', received: 'the network to Redis' }
/** Jobs a second that one server is assumed to take on. */
const JOBS_OF_SERVER = 200
/** A file of 1024×1024, which goes to Redis, and from there to the server. Not measured: no published weights were at hand. */
const FILE_BYTES = 1.5e6

/** @param {number} jobs a second */
export function serversFor(jobs) {
  return Math.max(1, Math.ceil(jobs / JOBS_OF_SERVER))
}

/**
 * The largest cell that a queue can serve, or a cell of `given` workers.
 * @param {number} pace pictures a second of one worker @param {number} reports of a job's steps @param {number} [given]
 */
export function largestCell(pace, reports, given) {
  const { points } = readQueueLoad()
  const queue = loadOf(points)
  const at = (/** @type {number} */ workers) => {
    const jobs = pace * workers
    const load = queue({ workers, servers: serversFor(jobs), reports, jobs })
    const files = jobs * FILE_BYTES
    return { workers, jobs, load: { ...load, sent: load.sent + files, received: load.received + files } }
  }
  const fullest = (/** @type {Load} */ load) =>
    /** @type {const} */ (['seconds', 'sent', 'received'])
      .map(name => ({ name, share: load[name] / MOST[name] }))
      .sort((a, b) => b.share - a.share)[0]
  let [low, high] = [1, 1_000_000]
  while (given === undefined && high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if ((fullest(at(middle).load)?.share ?? 0) <= 1) low = middle
    else high = middle
  }
  const cell = at(given ?? low)
  return { ...cell, first: NAMES[/** @type {keyof typeof NAMES} */ (fullest(cell.load)?.name)] }
}

/**
 * Least squares of relative errors without negative coefficients: a term that would be below 0 costs nothing.
 * @param {readonly number[][]} rows @param {readonly number[]} values
 * @returns {number[]}
 */
export function fit(rows, values) {
  const count = rows[0]?.length ?? 0
  const weighted = rows.map((row, at) => row.map(term => term / /** @type {number} */ (values[at])))
  const coefficients = Array(count).fill(0)
  // Coordinate descent: the problem is convex and tiny.
  for (let round = 0; round < 20_000; round++) {
    for (let term = 0; term < count; term++) {
      let [above, below] = [0, 0]
      for (const row of weighted) {
        const own = /** @type {number} */ (row[term])
        above += own * (1 - dot(coefficients, row) + coefficients[term] * own)
        below += own * own
      }
      coefficients[term] = Math.max(0, above / below)
    }
  }
  return coefficients
}

/** @param {readonly number[]} a @param {readonly number[]} b */
function dot(a, b) {
  return a.reduce((sum, value, at) => sum + value * /** @type {number} */ (b[at]), 0)
}
