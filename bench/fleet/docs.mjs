import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { drawChart } from '../../dist/bench/chart.js'
import { table, withSection } from '../markdown.mjs'
import { root } from '../places.mjs'
import { readKinds, paceOf, DEFAULT_STEPS } from './kinds.mjs'
import { largestCell, readQueueLoad, reportsOf } from './load.mjs'
import { planOf } from './plan.mjs'
/**
 * @import { Cell } from '../markdown.mjs'
 * @import { Wish } from './arrivals.mjs'
 * @import { Kind } from './kinds.mjs'
 * @import { Load } from './load.mjs'
 * @import { Plan } from './plan.mjs'
 */

const PAGE = join(root, 'docs', 'scale.md')
const PICTURES = join(root, 'docs', 'pictures')
const STEPS = DEFAULT_STEPS.priorSteps + DEFAULT_STEPS.decoderSteps

/** GPUs of a cell whose waiting is shown: two machines of eight. */
const WORKERS = 16
const LOADS = [0.5, 0.6, 0.7, 0.8, 0.9]
const SIZES = [10, 100, 1000, 10_000, 100_000]
/** How much of a fleet works on average where its queue is counted. */
const LOAD = 0.8

/**
 * Simulates what docs/scale.md says of fleets, and writes its tables and plots.
 * @param {(line: string) => void} say
 */
export async function writeFleetDocs(say) {
  const kinds = /** @type {{ cpu: Kind, a100: Kind, h100: Kind }} */ (readKinds())
  /** @param {string} name @param {Plan} plan */
  const run = (name, plan) => {
    const result = planOf(plan)
    say(`${name}: ${JSON.stringify(result)}`)
    return result
  }
  const shared = { kind: kinds.h100, workers: WORKERS, seed: 1 }
  const byLoad = (/** @type {'poisson' | 'bursty'} */ pattern, /** @type {number} */ seconds) =>
    LOADS.map(load => ({ pattern, load, ...run(`${pattern} ${load}`, { ...shared, pattern, load, seconds }) }))
  const waiting = { poisson: byLoad('poisson', 600), bursty: byLoad('bursty', 14_400) }
  const cells = cellPlans(kinds.h100).map(([name, plan]) => ({ name, ...run(name, plan) }))
  const scaling = scalingPlans(kinds.a100).map(([name, plan]) => ({ name, ...run(name, plan) }))
  const ending = [undefined, 24, 1].map(mtbfHours => {
    const plan = { ...shared, pattern: /** @type {const} */ ('poisson'), load: LOAD, seconds: 1800 }
    return { mtbfHours, ...run(`mtbf ${mtbfHours}`, { ...plan, ...(mtbfHours && { mtbfHours }) }) }
  })
  await writeFile(join(PICTURES, 'fleet-waiting.svg'), waitingPlot(waiting))
  await writeFile(join(PICTURES, 'fleet-queue.svg'), queuePlot(kinds))
  const parts = [
    'Machines, as `bench/fleet/kinds.json` has them with the source of each time and price:',
    kindsTable(),
    `What one job costs the queue, beside what it costs idle (${counted()}):`,
    costTable(),
    `Waiting in a cell of ${WORKERS} H100. *Wait* ends when a worker takes the job:`,
    '![Waiting by load, and images a turn](pictures/fleet-waiting.svg)',
    waitingTable([...waiting.poisson, ...waiting.bursty]),
    `The largest cell of one queue, with workers that are busy for ${LOAD} of what they can do:`,
    queueTable(kinds),
    '![What a queue has to do by GPUs, as powers of ten](pictures/fleet-queue.svg)',
    'One queue, or cells with a queue each:',
    namedTable('240 H100 at 0.8 of what they can do', cells),
    'Workers that come and go, two minutes after they were wanted:',
    namedTable('8 A100 at most, a day, 0.5 of what they can do on average', scaling),
    'Workers that end without a word:',
    endingTable(ending)
  ]
  await writeFile(PAGE, withSection(await readFile(PAGE, 'utf8'), 'fleet', parts.join('\n\n')))
}

/** @param {Kind} kind @returns {[string, Plan][]} */
function cellPlans(kind) {
  const shared = { kind, workers: 240, pattern: /** @type {const} */ ('poisson'), load: LOAD, seconds: 90, keys: 2000, seed: 1 }
  const shortest = (/** @type {Wish} */ _, /** @type {readonly number[]} */ waiting) => waiting.indexOf(Math.min(...waiting))
  return [
    ['one queue', shared],
    ['15 cells by key, 2,000 equal keys', { ...shared, cells: 15 }],
    ['15 cells by key, the k-th key asks 1/k as often', { ...shared, cells: 15, skewed: true }],
    ['15 cells, the one with the least that waits', { ...shared, cells: 15, skewed: true, route: shortest }]
  ]
}

/** @param {Kind} kind @returns {[string, Plan][]} */
function scalingPlans(kind) {
  const shared = { kind, workers: 8, pattern: /** @type {const} */ ('diurnal'), load: 0.5, seconds: 86_400, seed: 1 }
  /** @type {['waiting' | 'waiting and running', number][]} */
  const signals = [
    ['waiting', 60],
    ['waiting', 10],
    ['waiting and running', 5],
    ['waiting and running', 3]
  ]
  return [
    ['all, always', shared],
    ...signals.map(
      ([signal, targetSeconds]) =>
        /** @type {[string, Plan]} */ ([
          `${signal}, target ${targetSeconds} s`,
          { ...shared, scaling: { signal, targetSeconds, startUpSeconds: 120 } }
        ])
    )
  ]
}

function kindsTable() {
  return table([
    ['Kind', 'Images a second, full batches', '1,000 images at full load', 'Times are', 'US dollars an hour'],
    ...Object.entries(readKinds()).map(([name, kind]) => {
      const pace = paceOf(kind)
      const cost = (1000 * (kind.price ?? NaN)) / 3600 / pace
      return [name, figure(pace), `$${figure(cost)}`, 'measured' in kind ? 'measured' : 'assumed', figure(kind.price ?? NaN)]
    })
  ])
}

function costTable() {
  const { kinds } = readQueueLoad()
  return table([
    ['One job, 256×256, the packaged model', 'Commands', "Redis' thread", 'Bytes to Redis', 'Bytes from Redis'],
    ...Object.entries(kinds).map(([name, load]) => [name, ...loadCells(load)])
  ])
}

function counted() {
  const { machine, date } = readQueueLoad()
  return `${machine}, shared with other work, ${date.slice(0, 10)}`
}

/** @param {Load} load */
function loadCells({ commands, seconds, sent, received }) {
  return [figure(commands), `${figure(1000 * seconds)} ms`, thousands(received), thousands(sent)]
}

/** @param {({ pattern: string, load: number } & ReturnType<typeof planOf>)[]} rows */
function waitingTable(rows) {
  const head = [
    'Arrivals, load',
    'Wait p50',
    'p95',
    'p99',
    'Until the image, p50',
    'p95',
    'GPUs work',
    'Images a turn',
    '1,000 images'
  ]
  return table([
    head,
    ...rows.map(row => [
      `${row.pattern}, ${row.load}`,
      ...[row.waitP50, row.waitP95, row.waitP99, row.latencyP50, row.latencyP95].map(value => seconds(value)),
      ...[percent(row.utilisation), figure(row.meanBatch), `$${figure(row.costOfThousand ?? NaN)}`]
    ])
  ])
}

/** @param {string} title @param {({ name: string } & ReturnType<typeof planOf>)[]} rows */
function namedTable(title, rows) {
  return table([
    [title, 'Wait p50', 'p95', 'p99', 'Machines work', '1,000 images'],
    ...rows.map(({ name, waitP50, waitP95, waitP99, utilisation, costOfThousand }) => [
      ...[name, ...[waitP50, waitP95, waitP99].map(value => seconds(value)), percent(utilisation)],
      `$${figure(costOfThousand ?? NaN)}`
    ])
  ])
}

/** @param {({ mtbfHours: number | undefined } & ReturnType<typeof planOf>)[]} rows */
function endingTable(rows) {
  const head = [
    '16 H100, a worker ends on average',
    'Workers that ended',
    'Jobs taken over',
    'Failed',
    'Until the image, p50',
    'p95',
    'p99'
  ]
  return table([
    head,
    ...rows.map(row => [
      row.mtbfHours === undefined ? 'never' : `once in ${row.mtbfHours} h`,
      ...[row.workersEnded, row.takenOver, row.failed, seconds(row.latencyP50), seconds(row.latencyP95), seconds(row.latencyP99)]
    ])
  ])
}

/** @param {{ cpu: Kind, a100: Kind, h100: Kind }} kinds */
function queueTable(kinds) {
  /** @type {Cell[][]} */
  const rows = [false, true].flatMap(quiet =>
    Object.entries(kinds).map(([name, kind]) => {
      const { workers, first, load, jobs } = largestCell(LOAD * paceOf(kind), quiet ? 1 : reportsOfFull(kind))
      const what = `${name}, ${quiet ? 'one report a job' : `${reportsOfFull(kind)} reports a job`}`
      return [what, workers.toLocaleString('en'), figure(jobs), Math.round(load.commands).toLocaleString('en'), first]
    })
  )
  return table([['Workers', 'In a cell, at most', 'Jobs a second', 'Commands a second', 'What is full then'], ...rows])
}

/** Of a job in a full engine, where it takes the longest. @param {Kind} kind */
function reportsOfFull(kind) {
  return reportsOf(STEPS, kind.maxRunningImages / paceOf(kind))
}

/** @param {Record<'poisson' | 'bursty', ({ load: number } & ReturnType<typeof planOf>)[]>} waiting */
function waitingPlot({ poisson, bursty }) {
  /** @param {string} name @param {typeof poisson} rows @param {'waitP95' | 'latencyP95' | 'meanBatch'} key */
  const series = (name, rows, key) => ({ name, points: rows.map(row => ({ x: row.load, y: row[key] })) })
  const both = (/** @type {'waitP95' | 'latencyP95' | 'meanBatch'} */ key) => [
    series('Poisson', poisson, key),
    series('bursts of a minute', bursty, key)
  ]
  const panels = [
    { title: 'Poisson arrivals', xLabel: 'load', yLabel: 'seconds until the image', series: percentiles(poisson) },
    { title: 'Bursts of four times the rate', xLabel: 'load', yLabel: 'seconds until the image', series: percentiles(bursty) },
    { title: 'Images a turn', xLabel: 'load', yLabel: 'images', series: both('meanBatch') }
  ]
  return drawChart(`A queue with ${WORKERS} H100, simulated`, panels, 'node bench/fleet.mjs --docs; times of GPUs are assumed')
}

/** @param {({ load: number } & ReturnType<typeof planOf>)[]} rows */
function percentiles(rows) {
  return /** @type {const} */ (['P50', 'P95', 'P99']).map(share => ({
    name: share.toLowerCase(),
    points: rows.map(row => ({ x: row.load, y: row[`latency${share}`] }))
  }))
}

/** @param {{ cpu: Kind, a100: Kind, h100: Kind }} kinds */
function queuePlot(kinds) {
  const curves = (/** @type {Kind} */ kind) => [
    { name: 'a report a step', reports: STEPS - 1 },
    { name: 'a report in 200 ms', reports: reportsOfFull(kind) },
    { name: 'a report a job', reports: 1 }
  ]
  const panel = (/** @type {string} */ title, /** @type {Kind} */ kind) => ({
    ...{ title, xLabel: 'workers, as a power of ten', yLabel: "Redis' threads needed, as a power of ten; 0.01 is 0" },
    series: curves(kind).map(({ name, reports }) => ({
      name,
      points: SIZES.map(workers => {
        const { load } = largestCell(LOAD * paceOf(kind), reports, workers)
        return { x: Math.log10(workers), y: Math.max(0, Math.log10(100 * load.seconds)) }
      })
    }))
  })
  return drawChart(
    'What one queue would have to do: more than one thread (2) cannot be had',
    [panel('CPUs of two cores', kinds.cpu), panel('H100', kinds.h100)],
    'node bench/fleet.mjs --docs; counted with up to 12 workers, beyond that extrapolated'
  )
}

const figure = (/** @type {number} */ value) => value.toLocaleString('en', { maximumSignificantDigits: 3 })
const seconds = (/** @type {number} */ value) => `${value < 0.005 ? '0' : figure(value)} s`
const percent = (/** @type {number} */ value) => `${(100 * value).toFixed(0)} %`
const thousands = (/** @type {number} */ bytes) => `${figure(bytes / 1000)} kB`
