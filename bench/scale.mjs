#!/usr/bin/env node
// Servers and workers on one queue: what they cost beside one process, how they share, and what becomes of work while parts of
// them are replaced, away or killed.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cancel } from './scale/cancel.mjs'
import { chaos } from './scale/chaos.mjs'
import { fairness } from './scale/fairness.mjs'
import { outcomeText, whyNotQuoted, writeOutcome } from './scale/outcome.mjs'
import { outage } from './scale/outage.mjs'
import { overhead } from './scale/overhead.mjs'
import { power } from './scale/power.mjs'
import { upgrade } from './scale/upgrade.mjs'
import { manyWorkers } from './scale/workers.mjs'

/**
 * @import { ModeOptions, Outcome } from './scale/outcome.mjs'
 * @import { QueueKind } from './scale/queues.mjs'
 */

const USAGE = `node bench/scale.mjs --overhead | --workers | --fairness | --upgrade | --outage | --cancel | --power [--short] [--json] [--docs]
node bench/scale.mjs --chaos [--minutes N | --seconds N] [--jobs N] [--seed N] [--fsync everysec|always] [--queue redis|postgres]
  [--json]`

/** @type {Record<string, (options: ModeOptions) => Promise<Outcome>>} */
const MODES = { overhead, workers: manyWorkers, fairness, upgrade, outage, cancel, power }

const flag = { type: /** @type {const} */ ('boolean'), default: false }
const { values } = parseArgs({
  options: {
    ...{ chaos: flag, overhead: flag, workers: flag, fairness: flag, upgrade: flag, outage: flag, cancel: flag, power: flag },
    ...{ short: flag, json: flag, docs: flag },
    queue: { type: 'string', default: 'redis' },
    minutes: { type: 'string', default: '2' },
    seconds: { type: 'string' },
    jobs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    fsync: { type: 'string', default: 'everysec' }
  }
})
const chosen = Object.entries({ chaos: undefined, ...MODES }).filter(([name]) => values[/** @type {'chaos'} */ (name)])
const model = fileURLToPath(new URL('../models/tiny', import.meta.url))
const say = (/** @type {string} */ line) => console.error(line)
const [mode] = chosen
if (mode === undefined || chosen.length > 1) refuse()
if (mode[1] === undefined) await disturb()
else await measure(mode[0], mode[1])

/** @param {string} name @param {(options: ModeOptions) => Promise<Outcome>} run */
async function measure(name, run) {
  if (values.docs && values.short) refuse()
  const objection = values.docs ? whyNotQuoted() : undefined
  if (objection !== undefined) {
    console.error(objection)
    process.exit(2)
  }
  const outcome = await run({ model, short: values.short, say })
  process.stdout.write(`${outcomeText(outcome, values.json)}\n`)
  if (values.docs) await writeOutcome(name, outcome)
  process.exitCode = outcome.targets.every(({ met }) => met) ? 0 : 1
}

async function disturb() {
  const seconds = Number(values.seconds ?? 60 * Number(values.minutes))
  const [jobs, seed] = [Number(values.jobs), Number(values.seed)]
  const sound = [seconds, jobs, seed].every(each => Number.isFinite(each) && each > 0)
  const known = ['redis', 'postgres'].includes(values.queue) && ['everysec', 'always'].includes(values.fsync)
  if (!known || !sound) refuse()
  const result = await chaos({
    ...{ seconds, jobs, seed, kind: /** @type {QueueKind} */ (values.queue) },
    ...{ fsync: /** @type {'everysec' | 'always'} */ (values.fsync), model, say }
  })
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(20)} ${JSON.stringify(value)}\n`)
  process.exitCode = result.lost === 0 && result.seenTwice === 0 && result.unexplained.length === 0 ? 0 : 1
}

/** @returns {never} */
function refuse() {
  console.error(`Expected ${USAGE}`)
  process.exit(2)
}
