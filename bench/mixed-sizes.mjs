// node bench/mixed-sizes.mjs [MODEL_DIR] [--sizes 512x256,256x512,1024x128,128x1024] [--counts 1,2,4] [--requests 16]
//     [--rounds 5] [--gaps 0,0.4] [--threads 2] [--max-batch N] [--output FILE]
// What it costs that images of different sizes share no run: the same requests, at the same random moments, in the first 1, 2
// and 4 of the sizes. The default sizes have as many pixels each, so only the sharing differs. Each case of each round is a
// fresh process, and cases take turns. `--gaps`: mean time between two arrivals, in times of what a request takes alone; 0:
// all at once.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { mean } from './fleet/statistics.mjs'
import { milliseconds, range, share, table } from './markdown.mjs'
import { runLines } from './process.mjs'
import { sizeOf } from './requests.mjs'
import { ratio, spread } from './results.mjs'
/** @import { Ask, Outcome } from './mixed-sizes-process.mjs' */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string', default: '512x256,256x512,1024x128,128x1024' },
    counts: { type: 'string', default: '1,2,4' },
    requests: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '5' },
    gaps: { type: 'string', default: '0,0.4' },
    threads: { type: 'string', default: '2' },
    'max-batch': { type: 'string' },
    output: { type: 'string' }
  }
})
const sizes = values.sizes.split(',').map(sizeOf)
const counts = values.counts.split(',').map(Number)
const gaps = values.gaps.split(',').map(Number)
const common = {
  ...(positionals[0] === undefined ? {} : { model: positionals[0] }),
  ...(values['max-batch'] === undefined ? {} : { maxBatch: Number(values['max-batch']) }),
  threads: Number(values.threads),
  requests: Number(values.requests)
}

/** @param {Omit<Ask, keyof typeof common>} ask @returns {Promise<Outcome>} */
async function outcomeOf(ask) {
  const lines = await runLines(process.execPath, ['bench/mixed-sizes-process.mjs', JSON.stringify({ ...common, ...ask })])
  return /** @type {Outcome} */ (/** @type {unknown} */ (lines.at(-1)))
}

const machine = environmentOf(common.threads)
const { alone } = await outcomeOf({ sizes: sizes.slice(0, 1), mean: 0, seed: 1 })
/** @type {{ gap: number, count: number, rounds: Outcome[] }[]} */
const cases = gaps.flatMap(gap => counts.map(count => ({ gap, count, rounds: [] })))
for (let round = 1; round <= Number(values.rounds); round++) {
  // Each round begins with another case.
  for (const index of cases.keys()) {
    const { gap, count, rounds } = /** @type {typeof cases[number]} */ (cases[(index + round) % cases.length])
    rounds.push(await outcomeOf({ sizes: sizes.slice(0, count), mean: gap * alone, seed: 10 + round }))
  }
  console.error(`round ${round}/${values.rounds}`)
}
if (values.output !== undefined)
  await writeFile(
    values.output,
    `${JSON.stringify({ machine, common, alone, date: new Date().toISOString(), cases }, null, 1)}\n`
  )

console.log(`load average before: ${machine.loadAverage.toFixed(2)}; one request alone: ${milliseconds(alone)}\n`)
const latency = (/** @type {Outcome} */ { latencies }) => mean(latencies)
const rows = cases.map(({ gap, count, rounds }) => {
  const one = cases.find(other => other.gap === gap)?.rounds ?? []
  return [
    gap === 0 ? 'all at once' : `every ${gap} of one alone`,
    count,
    range(spread(rounds.map(({ makespan }) => makespan)), milliseconds),
    range(
      ratio(rounds, one, ({ makespan }) => makespan),
      share
    ),
    range(spread(rounds.map(latency)), milliseconds),
    range(ratio(rounds, one, latency), share),
    range(
      ratio(rounds, one, ({ cpu }) => cpu),
      share
    ),
    range(spread(rounds.map(({ shared }) => shared)), share)
  ]
})
const head = [
  'Arrivals',
  'Sizes',
  'Until all are done',
  'of one size',
  'Until one is, mean',
  'of one size',
  'CPU time, of one size',
  'Images a run'
]
console.log(table([head, ...rows]))
