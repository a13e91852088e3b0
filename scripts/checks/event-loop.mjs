#!/usr/bin/env node
/**
 * What else a process does while its engine is never without work: the delay of the event loop, and how long libuv's pool takes
 * to read a file and to look up a name. `node scripts/checks/event-loop.mjs [--seconds 30] [--clients 8]`. It ends with 1 where
 * the 99th percentile of the delay is above 20 ms, or that of the others above 50 ms. The machine has to be idle before.
 */
import { lookup } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Pipeline } from '../../dist/index.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, clients: { type: 'string', default: '8' } }
})
/** Milliseconds, at the 99th percentile. */
const [MOST_DELAY, MOST_IO] = [20, 50]
const PAUSE_MS = 5

const pipeline = await Pipeline.load(fileURLToPath(new URL('../../models/tiny', import.meta.url)))
await pipeline.generate({ prompt: 'a blue car', seed: 1 })

const until = performance.now() + 1000 * Number(values.seconds)
const going = () => performance.now() < until
let images = 0

/** @param {number} client */
async function ask(client) {
  for (let call = 0; going(); call++) {
    const { images: made } = await pipeline.generate({ prompt: `a red house, ${client}`, seed: call })
    await made[0]?.toBuffer('png')
    images++
  }
}

/** Every so many milliseconds, how long it takes. @param {() => Promise<unknown>} act */
async function time(act) {
  /** @type {number[]} */
  const took = []
  while (going()) {
    const start = performance.now()
    await act()
    took.push(performance.now() - start)
    await delay(PAUSE_MS)
  }
  return took
}

const histogram = monitorEventLoopDelay({ resolution: 1 })
histogram.enable()
const [files, names] = await Promise.all([
  time(() => readFile(new URL(import.meta.url))),
  time(() => lookup('localhost')),
  ...Array.from({ length: Number(values.clients) }, (_, client) => ask(client))
])
histogram.disable()
await pipeline.dispose()

const sorted = (/** @type {number[]} */ list) => list.toSorted((a, b) => a - b)
const at = (/** @type {number[]} */ list, /** @type {number} */ share) =>
  sorted(list)[Math.floor((list.length - 1) * share)] ?? NaN
// The histogram counts the time between two of its own timers, of which a millisecond is no delay.
const rows = /** @type {const} */ ([
  [
    'delay of the event loop',
    histogram.percentile(50) / 1e6 - 1,
    histogram.percentile(99) / 1e6 - 1,
    histogram.max / 1e6 - 1,
    MOST_DELAY
  ],
  ['reading a file', at(files, 0.5), at(files, 0.99), at(files, 1), MOST_IO],
  ['looking up a name', at(names, 0.5), at(names, 0.99), at(names, 1), MOST_IO]
])
console.log(
  `${images} images as PNG in ${values.seconds} s, ${values.clients} at a time; ${files.length} files, ${names.length} names`
)
console.log('| ms | p50 | p99 | largest | p99 at most |\n| --- | --- | --- | --- | --- |')
for (const [name, ...figures] of rows) console.log(`| ${name} | ${figures.map(each => each.toFixed(1)).join(' | ')} |`)
process.exitCode = rows.every(([, , p99, , most]) => p99 <= most) ? 0 : 1
