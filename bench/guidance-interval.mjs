// node bench/guidance-interval.mjs [MODEL_DIR] [--presets reference,fast] [--intervals 0-1,0.1-1,…] [--rounds 5] [--threads 2]
//     [--output FILE]
// What guidance in an interval saves, and how far it takes images from those with guidance everywhere: eight prompts, one image a
// call. Intervals take turns in each round. PSNR is the median of the prompts. Scores are scripts/train/score.py's.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { median } from '../dist/bench/statistics.js'
import { Pipeline } from '../dist/index.js'
import { PROMPTS } from '../scripts/pictures/prompts.mjs'
import { range, share, table } from './markdown.mjs'
import { ratio, spread } from './results.mjs'
/** @import { GenerateOptions } from '../dist/index.js' */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    presets: { type: 'string', default: 'reference,fast' },
    intervals: { type: 'string', default: '0-1,0.1-1,0.2-0.9,0.3-1,0-0.8,0.3-0.8' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    output: { type: 'string' }
  }
})
const presets = /** @type {NonNullable<GenerateOptions['preset']>[]} */ (values.presets.split(','))
/** @type {[from: number, to: number][]} */
const intervals = values.intervals.split(',').map(text => {
  const [from = NaN, to = NaN] = text.split('-').map(Number)
  return [from, to]
})
const machine = environmentOf(Number(values.threads))
const pipeline = await Pipeline.load(positionals[0], { device: 'cpu', threads: Number(values.threads) })

/** @typedef {{ milliseconds: number, prior: number, rows: number, pixels: Uint8Array[] }} Sample */

/**
 * One image of each prompt. `milliseconds` and `prior` are medians, of a call and of its steps of Stage C; `rows` an image.
 * @param {GenerateOptions['preset']} preset
 * @param {[from: number, to: number]} priorGuidanceInterval
 * @returns {Promise<Sample>}
 */
async function measure(preset, priorGuidanceInterval) {
  const before = pipeline.stats().stages.prior?.rows ?? 0
  const [times, priors, pixels] = /** @type {[number[], number[], Uint8Array[]]} */ ([[], [], []])
  for (const [seed, prompt] of PROMPTS.entries()) {
    const { images, timings } = await pipeline.generate({ prompt, seed, preset, priorGuidanceInterval })
    times.push(timings.total)
    priors.push(timings.prior)
    pixels.push(...images.map(({ data }) => data))
  }
  const rows = ((pipeline.stats().stages.prior?.rows ?? 0) - before) / PROMPTS.length
  return { milliseconds: median(times), prior: median(priors), rows, pixels }
}

/** @param {Uint8Array} actual @param {Uint8Array} expected decibels; infinite where they are the same */
function psnr(actual, expected) {
  const sum = actual.reduce((total, value, index) => total + (value - (expected[index] ?? NaN)) ** 2, 0)
  return 10 * Math.log10(255 ** 2 / (sum / actual.length))
}

console.log(`load average before: ${machine.loadAverage.toFixed(2)}`)
/** @type {Record<string, unknown>[]} */
const figures = []
for (const preset of presets) {
  await measure(preset, [0, 1])
  /** @type {Sample[][]} */
  const samples = intervals.map(() => [])
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [index, interval] of intervals.entries()) samples[index]?.push(await measure(preset, interval))
  const [full = []] = samples
  const rows = intervals.map(([from, to], index) => {
    const own = samples[index] ?? []
    const distance = median((own[0]?.pixels ?? []).map((pixels, image) => psnr(pixels, full[0]?.pixels[image] ?? pixels)))
    const [milliseconds, prior] = [ratio(own, full, sample => sample.milliseconds), ratio(own, full, sample => sample.prior)]
    const whole = spread(own.map(sample => sample.milliseconds))
    figures.push({ preset, from, to, rows: own[0]?.rows, psnr: distance, milliseconds: whole, relative: milliseconds, prior })
    return [
      `[${from}, ${to}]`,
      own[0]?.rows ?? '',
      range(whole, ms => `${ms.toFixed(0)} ms`),
      ...[milliseconds, prior].map(each => range(each, share)),
      index === 0 ? '' : `${distance.toFixed(1)} dB`
    ]
  })
  const head = ['Interval', 'Rows of Stage C', 'An image', 'of the whole', "Stage C's steps, of the whole", 'PSNR to the whole']
  console.log(`\n${preset}\n\n${table([head, ...rows])}`)
}
await pipeline.dispose()
if (values.output !== undefined)
  await writeFile(values.output, `${JSON.stringify({ machine, date: new Date().toISOString(), figures }, null, 1)}\n`)
