#!/usr/bin/env node
// node bench/report.mjs [FILE]: writes the table and the figure of a comparison into the documentation, and measures nothing.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { drawChart } from '../dist/bench/chart.js'
import { encodePlot } from '../dist/bench/plot.js'
import { LABELS, OTHER_IMAGES } from './cases.mjs'
import { megabytes, milliseconds, range, share, table } from './markdown.mjs'
import { root } from './places.mjs'
import { objections } from './quotable.mjs'
import { shareOfRate } from './roofline.mjs'
/**
 * @import { EventLoopDelay } from '../dist/bench/event-loop.js'
 * @import { CaseName, Setting } from './cases.mjs'
 * @import { Cell } from './markdown.mjs'
 * @import { Figures, Spread } from './results.mjs'
 * @import { Roofline } from './roofline.mjs'
 */

/** @typedef {{ python: string, torch: string, diffusers: string }} PythonVersions */

/**
 * @typedef {object} Machine
 * @property {{ model: string, cores: number }} cpu
 * @property {number} threads
 * @property {string} torch
 * @property {string} cpuCapability
 * @property {string} node
 * @property {number} loadAverage before the comparison began
 * @property {PythonVersions} python
 */

/**
 * What of a comparison's results is reported.
 * @typedef {object} Results
 * @property {string} date
 * @property {Machine} machine
 * @property {{ rounds: number, runs: number, warmUp: number }} options
 * @property {string} model
 * @property {CaseName[]} cases
 * @property {Record<string, string>} unavailable why, by case
 * @property {(Setting & { figures: Record<string, Figures>, problems: Record<string, string> })[]} settings
 * @property {Roofline} roofline
 * @property {Pick<EventLoopDelay, 'p99'>[]} eventLoop
 * @property {{ makespan: Spread, latency: Spread } | { unavailable: string }} sharing
 */

const RESULTS = join(root, 'docs', 'figures', 'comparison.json')
const FIGURE = join(root, 'docs', 'pictures', 'comparison')

/**
 * Writes the results, the figure, and the table in the README and in docs/performance.md.
 * @param {Results} results
 */
export async function writeDocs(results) {
  const svg = comparisonFigure(results)
  await mkdir(dirname(RESULTS), { recursive: true })
  await writeFile(RESULTS, `${JSON.stringify(results, null, 1)}\n`)
  await writeFile(`${FIGURE}.svg`, svg)
  await writeFile(`${FIGURE}.png`, await encodePlot(svg, 'png'))
  await replaceRegion(join(root, 'README.md'), `${timesTable(results)}\n\n${conditions(results)}`)
  await replaceRegion(join(root, 'docs', 'performance.md'), comparisonText(results))
}

/**
 * Replaces everything between the two marks of a page.
 * @param {string} file
 * @param {string} content
 */
export async function replaceRegion(file, content) {
  const parts = (await readFile(file, 'utf8')).match(/^([^]*<!-- comparison -->\n)[^]*(<!-- end of comparison -->[^]*)$/)
  if (parts === null)
    throw new Error(`Expected the marks <!-- comparison --> and <!-- end of comparison --> in ${file} but they are not there`)
  await writeFile(file, `${parts[1]}\n${content}\n\n${parts[2]}`)
}

/**
 * All tables, in Markdown.
 * @param {Results} results
 */
export function comparisonText(results) {
  return [conditions(results), timesTable(results), detailsTable(results), engineTable(results)].join('\n\n')
}

/** @param {Results} results */
function conditions({ machine, options, model, date }) {
  const { cpu, threads, torch, cpuCapability, node, python, loadAverage } = machine
  return (
    `${cpu.model}, ${cpu.cores} cores, ${threads} threads; LibTorch ${torch} (${cpuCapability}), Node ${node}; diffusers ${python.diffusers} with torch ${python.torch}, ` +
    `Python ${python.python}. Model: ${model}, float32. Median of ${options.rounds} rounds, each with ${options.runs} runs in a fresh process after ${options.warmUp} that do not count; ` +
    `load average ${loadAverage.toFixed(2)}; ${date.slice(0, 10)}.`
  )
}

/**
 * What the README shows: seconds from prompt to PNG, and the part of the eager peer's.
 * @param {Results} results
 */
function timesTable({ cases, unavailable, settings }) {
  const shown = cases.filter(name => name !== 'core')
  const head = [
    'Prompt to PNG',
    ...settings.map(({ width, height, batch }) => `${width}×${height}, ${batch === 1 ? '1 image' : `${batch} images`}`)
  ]
  return table([
    head,
    ...shown.map(name => [
      LABELS[name],
      ...settings.map(({ figures, problems }) => {
        const why = unavailable[name] ?? problems[name]
        if (why !== undefined) return unavailable[name] === undefined ? 'failed' : 'not available'
        const { total, against } = figures[name] ?? {}
        if (total === undefined) return ''
        const ratio = name === 'eager' ? undefined : against?.eager?.total
        return `${milliseconds(total.median)}${ratio === undefined ? '' : ` (${share(ratio.median)})`}`
      })
    ])
  ])
}

/**
 * Each figure with its spread over the rounds.
 * @param {Results} results
 */
function detailsTable({ cases, unavailable, settings, roofline }) {
  const head = [
    '',
    'Setting',
    'Prompt to PNG',
    '/ eager',
    '/ compiled',
    'Share of the rate of products',
    'First image of a cold process',
    '/ eager',
    'Peak memory',
    '/ eager',
    'Pixels differ by, mean (max) of 255'
  ]
  const rows = cases.flatMap(name =>
    settings.map(({ width, height, batch, figures, problems }, index) => {
      const setting = `${width}×${height}, ${batch}`
      const why = unavailable[name] ?? problems[name]
      if (why !== undefined) return [LABELS[name], setting, why, ...Array(8).fill('')]
      const { total, generate, cold, peak, against, difference } = figures[name] ?? {}
      const { eager, compiled } = against ?? {}
      const part = OTHER_IMAGES.includes(name) ? undefined : shareOfRate(roofline, index, total ?? generate)
      return [
        LABELS[name],
        setting,
        range(total ?? generate, milliseconds),
        range(eager?.total, share),
        range(compiled?.total, share),
        part === undefined ? '' : share(part),
        range(cold, milliseconds),
        range(eager?.cold, share),
        range(peak, megabytes),
        range(eager?.peak, share),
        name === 'eager' || difference === undefined ? '' : `${difference.mean.toFixed(3)} (${difference.max})`
      ]
    })
  )
  return table([head, ...rows])
}

/** @param {Results} results */
function engineTable({ settings, roofline, eventLoop, sharing }) {
  /** @type {Cell[][]} */
  const rows = settings.flatMap(({ width, height, batch, figures }) => {
    const paired = figures.core?.against.torchscript?.generate
    return paired === undefined
      ? []
      : [[`C++ loop without Node / through the addon, ${width}×${height}, ${batch}`, range(paired, share)]]
  })
  const p99 = eventLoop.map(delay => delay.p99)
  rows.push(['Products of 2048 × 2048 matrices, float32', range(roofline.rate, rate => `${(rate / 1e9).toFixed(0)} GFLOP/s`)])
  rows.push([
    'Event-loop delay while eight clients keep the engine busy, p99',
    `${Math.max(...p99).toFixed(1)} ms (worst of ${p99.length} rounds)`
  ])
  /** @param {'makespan' | 'latency'} key */
  const ratio = key => ('unavailable' in sharing ? sharing.unavailable : range(sharing[key], share))
  rows.push(['Sixteen requests that arrive at random, together / one after another: until the last is done', ratio('makespan')])
  rows.push(['the same: a request on average, from when it was due', ratio('latency')])
  return table([['Engine', ''], ...rows])
}

/**
 * Seconds by batch size, a panel a size, as the model card draws them.
 * @param {Results} results
 */
export function comparisonFigure({ cases, settings, machine, model, options, date }) {
  const sizes = [...new Set(settings.map(({ width, height }) => `${width}×${height}`))]
  const panels = sizes.map(size => ({
    title: size,
    xLabel: 'images a call',
    yLabel: 'seconds, prompt to PNG',
    series: cases
      .filter(name => settings.some(({ figures }) => figures[name]?.total !== undefined))
      .map(name => ({
        name: LABELS[name],
        points: settings
          .filter(({ width, height }) => `${width}×${height}` === size)
          .flatMap(({ batch, figures }) => {
            const total = figures[name]?.total
            return total === undefined
              ? []
              : [{ x: batch, y: total.median / 1000, low: total.min / 1000, high: total.max / 1000 }]
          })
      }))
  }))
  return drawChart(
    `Time to images: ${model}`,
    panels,
    `${machine.cpu.model}, ${machine.threads} threads, float32, torch ${machine.torch}, median and range of ${options.rounds} rounds, ${date.slice(0, 10)}`
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const results = JSON.parse(await readFile(process.argv[2] ?? RESULTS, 'utf8'))
  const against = objections(results)
  if (against.length === 0) await writeDocs(results)
  for (const objection of against) console.error(objection)
  process.exitCode = against.length === 0 ? 0 : 1
}
