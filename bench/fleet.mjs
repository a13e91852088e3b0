#!/usr/bin/env node
// Plans a fleet: simulates servers, queues and workers, compares that with real ones, and counts what a queue has to do.
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { countKinds, countQueue } from './fleet/count.mjs'
import { readKinds } from './fleet/kinds.mjs'
import { writeFleetDocs } from './fleet/docs.mjs'
import { planOf } from './fleet/plan.mjs'
import { worstOf, validate } from './fleet/validate.mjs'
import { root } from './places.mjs'

const USAGE = `node bench/fleet.mjs
  [--kind cpu|a100|h100] [--workers N] [--load 0..1 | --rate N] [--pattern poisson|bursty|diurnal | --trace FILE] [--seconds N]
  [--keys N] [--skewed] [--cells N] [--mtbf-hours N] [--scale waiting|both [--target N] [--start-up N]] [--seed N]
node bench/fleet.mjs --validate [--workers 1,2,4] [--requests N] [--rounds N]
node bench/fleet.mjs --count-queue   (writes bench/fleet/queue-load.json)
node bench/fleet.mjs --docs          (writes the tables and plots of docs/scale.md)`

const text = { type: /** @type {const} */ ('string') }
const { values } = parseArgs({
  options: {
    ...{ kind: { ...text, default: 'h100' }, workers: text, load: text, rate: text, pattern: { ...text, default: 'poisson' } },
    ...{ trace: text, seconds: { ...text, default: '600' }, keys: { ...text, default: '100' }, skewed: { type: 'boolean' } },
    ...{ cells: { ...text, default: '1' }, 'mtbf-hours': text, scale: text, target: { ...text, default: '60' } },
    ...{ 'start-up': { ...text, default: '120' }, seed: { ...text, default: '1' }, requests: { ...text, default: '24' } },
    ...{ rounds: { ...text, default: '3' }, validate: { type: 'boolean' }, 'count-queue': { type: 'boolean' } },
    docs: { type: 'boolean' }
  }
})
const say = (/** @type {string} */ line) => console.error(line)
const model = join(root, 'models', 'tiny')

if (values.validate) {
  const counts = (values.workers ?? '1,2,4').split(',').map(given)
  const options = { model, counts, requests: given(values.requests), rounds: given(values.rounds), seed: given(values.seed), say }
  const worst = worstOf(await validate(options))
  print({ worstDifference: `${(100 * worst).toFixed(0)} %` })
  process.exitCode = worst <= 0.1 ? 0 : 1
} else if (values['count-queue']) {
  const options = { model, idleSeconds: 15, jobs: 20, say }
  const [points, kinds] = [await countQueue(options), await countKinds({ ...options, jobs: 5 })]
  const machine = `${cpus()[0]?.model}, ${cpus().length} cores`
  const result = { about: 'node bench/fleet.mjs --count-queue', machine, date: new Date().toISOString(), points, kinds }
  await writeFile(new URL('fleet/queue-load.json', import.meta.url), `${JSON.stringify(result, null, 1)}\n`)
  process.exit()
} else if (values.docs) await writeFleetDocs(say)
else print(plan())

function plan() {
  const kind = readKinds()[values.kind]
  const patterns = /** @type {const} */ (['poisson', 'bursty', 'diurnal'])
  const pattern = patterns.find(name => name === values.pattern)
  const signal = values.scale && /** @type {const} */ ({ waiting: 'waiting', both: 'waiting and running' })[values.scale]
  if (kind === undefined || pattern === undefined || (values.scale !== undefined && signal === undefined)) refuse()
  return planOf({
    ...{ kind, pattern, trace: values.trace, workers: given(values.workers ?? '24'), seconds: given(values.seconds) },
    ...{ keys: given(values.keys), skewed: values.skewed ?? false, cells: given(values.cells), seed: given(values.seed) },
    ...(values.rate === undefined ? { load: given(values.load ?? '0.8') } : { rate: given(values.rate) }),
    ...(values['mtbf-hours'] === undefined ? {} : { mtbfHours: given(values['mtbf-hours']) }),
    ...(signal && { scaling: { signal, targetSeconds: given(values.target), startUpSeconds: given(values['start-up']) } })
  })
}

/** @param {string} value @returns {number} */
function given(value) {
  const number = Number(value)
  if (!(number > 0)) refuse()
  return number
}

/** @returns {never} */
function refuse() {
  console.error(`Expected ${USAGE}`)
  process.exit(2)
}

/** @param {Record<string, unknown>} figures */
function print(figures) {
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(24)} ${value}\n`)
}
