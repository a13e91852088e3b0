#!/usr/bin/env node
// Servers and workers on one queue, while all of it is killed: what was accepted is neither lost nor answered in two ways.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chaos } from './scale/chaos.mjs'

const USAGE = `node bench/scale.mjs --chaos [--minutes N | --seconds N] [--jobs N] [--seed N] [--fsync everysec|always] [--queue redis|postgres] [--json]`

const { values } = parseArgs({
  options: {
    chaos: { type: 'boolean' },
    queue: { type: 'string', default: 'redis' },
    minutes: { type: 'string', default: '2' },
    seconds: { type: 'string' },
    jobs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    fsync: { type: 'string', default: 'everysec' },
    json: { type: 'boolean', default: false }
  }
})
const seconds = Number(values.seconds ?? 60 * Number(values.minutes))
const [jobs, seed] = [Number(values.jobs), Number(values.seed)]
const sound = [seconds, jobs, seed].every(each => Number.isFinite(each) && each > 0)
if (
  values.chaos !== true ||
  !['redis', 'postgres'].includes(values.queue) ||
  !sound ||
  !['everysec', 'always'].includes(values.fsync)
) {
  console.error(`Expected ${USAGE}`)
  process.exit(2)
}

const result = await chaos({
  ...{ seconds, jobs, seed, kind: /** @type {import('./scale/queues.mjs').QueueKind} */ (values.queue) },
  ...{ fsync: /** @type {'everysec' | 'always'} */ (values.fsync) },
  model: fileURLToPath(new URL('../models/tiny', import.meta.url)),
  say: line => console.error(line)
})
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(20)} ${JSON.stringify(value)}\n`)
process.exitCode = result.lost === 0 && result.seenTwice === 0 && result.unexplained.length === 0 ? 0 : 1
