// node bench/batches.mjs [MODEL_DIR] [--sizes 128x128,256x256,512x512] [--batches 1,2,4,8] [--rounds 5] [--runs 3] [--steps 6]
//     [--threads 2] [--output FILE]
// What an image takes by how many share its runs: a step of Stage C with guidance, one of Stage B, and images a second of 29
// and 12 of them with Stage A. Each round is a fresh process. Figures are medians of the rounds with the smallest and the
// largest. Those of CPU time are the process's own, which other programs disturb less. The last column of a size says in how
// many rounds a measurement of that round alone would have chosen this batch: the smallest one that makes 95 % of the most
// images a second.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { DEFAULT_STEPS } from './fleet/kinds.mjs'
import { range, share, table } from './markdown.mjs'
import { runLines } from './process.mjs'
import { sizeOf, textOf } from './requests.mjs'
import { spread } from './results.mjs'
/** @import { Ask, Point } from './batches-process.mjs' */

/** A batch that makes so much of the most images a second is large enough: each image waits for all others of its batch. */
const ENOUGH = 0.95

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string', default: '128x128,256x256,512x512' },
    batches: { type: 'string', default: '1,2,4,8' },
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
    steps: { type: 'string', default: '6' },
    threads: { type: 'string', default: '2' },
    output: { type: 'string' }
  }
})
/** @type {Ask} */
const ask = {
  ...(positionals[0] === undefined ? {} : { model: positionals[0] }),
  threads: Number(values.threads),
  sizes: values.sizes.split(',').map(sizeOf),
  batches: values.batches.split(',').map(Number),
  runs: Number(values.runs),
  steps: Number(values.steps)
}
const machine = environmentOf(ask.threads)
/** @type {Point[][]} */
const rounds = []
for (let round = 1; round <= Number(values.rounds); round++) {
  const lines = await runLines(process.execPath, ['bench/batches-process.mjs', JSON.stringify(ask)])
  rounds.push(/** @type {Point[]} */ (/** @type {unknown[]} */ (lines)))
  console.error(`round ${round}/${values.rounds}`)
}
if (values.output !== undefined)
  await writeFile(values.output, `${JSON.stringify({ machine, ask, date: new Date().toISOString(), rounds }, null, 1)}\n`)

const stages = /** @type {const} */ (['prior', 'decoder'])
const clocks = /** @type {const} */ (['wall', 'cpu'])
console.log(`load average before: ${machine.loadAverage.toFixed(2)}`)
for (const size of ask.sizes) {
  const ofSize = rounds.map(points => points.filter(point => textOf(point.size) === textOf(size)))
  const first = ofSize.map(points => points.find(({ images }) => images === ask.batches[0]))
  const rows = ask.batches.map(images => {
    const points = ofSize.map(points => /** @type {Point} */ (points.find(point => point.images === images)))
    const each = (/** @type {(point: Point) => number} */ of) => spread(points.map(of))
    const relative = (/** @type {(point: Point) => number} */ of) =>
      spread(points.map((point, round) => of(point) / of(/** @type {Point} */ (first[round]))))
    const chosen = ofSize.filter(points => chosenOf(points) === images).length
    return [
      images,
      ...stages.map(stage =>
        range(
          each(point => point[stage].wall),
          milliseconds
        )
      ),
      ...clocks.flatMap(clock =>
        stages.map(stage =>
          range(
            relative(point => point[stage][clock] / point.images),
            share
          )
        )
      ),
      range(each(rateOf), share),
      chosen
    ]
  })
  const head = [
    'Images',
    'Stage C, ms',
    'Stage B, ms',
    'An image of C',
    'of B',
    'CPU time of C',
    'of B',
    'Images a second',
    'Chosen'
  ]
  console.log(`\n${textOf(size)}\n\n${table([head, ...rows])}`)
}

/** Images a second where all batches are full. @param {Point} point */
function rateOf({ images, prior, decoder, pixels }) {
  const { priorSteps, decoderSteps } = DEFAULT_STEPS
  return 1000 / ((priorSteps * prior.wall + decoderSteps * decoder.wall) / images + pixels.wall)
}

/** @param {Point[]} points of one size in one round */
function chosenOf(points) {
  const most = Math.max(...points.map(rateOf))
  return points.find(point => rateOf(point) >= ENOUGH * most)?.images
}

/** @param {number} value */
function milliseconds(value) {
  return value.toPrecision(3)
}
