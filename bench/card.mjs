#!/usr/bin/env node
// node bench/card.mjs --work DIR [--output card.json] [--plot card.svg]: the model card's figure, seconds a call by images a
// call, of this package, of diffusers and of Stable Diffusion XL, with random weights. docs/benchmark.md explains it.
//   --config small --device cpu   tries it on a machine without a GPU
//   --libraries MODEL_DIR         compiled libraries of a model of the same configuration, instead of compiling
//   --most-pixels N               the mean difference from diffusers, of 255, that is still right (default: any)
// Lines come on stderr as they are measured. A case that fails is reported and does not end the others; exit code 1 then.
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { encodePlot, plotFormat } from '../dist/bench/plot.js'
import { pixelDifference } from '../scripts/checks/pixels.mjs'
import { cardFigure, cardTable } from './card/figure.mjs'
import { makeCheckpoint, makeModel, withLibraries } from './card/models.mjs'
import { python, root } from './places.mjs'
import { interrupted, messageOf, runLines } from './process.mjs'
import { pythonVersions } from './python-versions.mjs'
import { spread } from './results.mjs'
/**
 * @import { FloatDtype } from '../dist/index.js'
 * @import { Environment } from '../dist/bench/environment.js'
 * @import { Difference } from '../scripts/checks/pixels.mjs'
 * @import { PythonVersions } from './report.mjs'
 * @import { Spread } from './results.mjs'
 */

/** @typedef {'torchscript' | 'aoti' | 'eager' | 'compiled' | 'sdxl' | 'sdxl-compiled'} CaseName */
/**
 * What every process is told.
 * @typedef {object} Call
 * @property {string} device
 * @property {FloatDtype} dtype
 * @property {string} prompt
 * @property {number} width
 * @property {number} height
 * @property {number[]} batchSizes
 * @property {number} warmUp calls of each size that do not count
 * @property {number} runs
 * @property {string} pixels the file for the first image
 */
/** @typedef {{ label: string, batches: { batch: number, seconds: Spread }[], difference?: Difference }} CaseResult */
/**
 * @typedef {object} CardResults
 * @property {string} date
 * @property {Environment & { gpu: string | undefined, python: PythonVersions }} machine
 * @property {Omit<Call, 'pixels'> & { config: string }} options
 * @property {Partial<Record<CaseName, CaseResult>>} cases
 * @property {Record<string, string>} unavailable why, by case
 */

/** @type {Record<CaseName, string>} */
const LABELS = {
  torchscript: 'Würstchen, wuerstchen with TorchScript',
  aoti: 'Würstchen, wuerstchen with AOTInductor',
  eager: 'Würstchen, diffusers',
  compiled: 'Würstchen, diffusers with torch.compile',
  sdxl: 'Stable Diffusion XL, diffusers',
  'sdxl-compiled': 'Stable Diffusion XL, diffusers with torch.compile'
}
/** Pictures that are to be the same. */
const SAME = /** @type {CaseName[]} */ (['torchscript', 'aoti', 'compiled'])

const { values: flags } = parseArgs({
  options: {
    work: { type: 'string' },
    config: { type: 'string', default: 'published' },
    device: { type: 'string', default: 'cuda' },
    dtype: { type: 'string' },
    size: { type: 'string' },
    cases: { type: 'string', default: Object.keys(LABELS).join() },
    'batch-sizes': { type: 'string', default: '1,2,4,8,16' },
    runs: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '1' },
    prompt: { type: 'string', default: 'Anthropomorphic cat dressed as a fire fighter' },
    libraries: { type: 'string' },
    'most-pixels': { type: 'string', default: '255' },
    output: { type: 'string' },
    plot: { type: 'string' }
  }
})
if (flags.work === undefined) throw new Error('Expected --work DIR, a directory for the models (13 GB for the published size)')
if (!['published', 'small'].includes(flags.config))
  throw new Error(`Expected published or small for --config but received ${flags.config}`)
if (!['cuda', 'cpu'].includes(flags.device)) throw new Error(`Expected cuda or cpu for --device but received ${flags.device}`)
const names = flags.cases.split(',').map(name => {
  if (name in LABELS) return /** @type {CaseName} */ (name)
  throw new Error(`Expected some of ${Object.keys(LABELS).join()} for --cases but received ${name}`)
})
const format = flags.plot === undefined ? undefined : plotFormat(flags.plot)
const work = resolve(flags.work)
const dtype = /** @type {FloatDtype} */ (flags.dtype ?? (flags.device === 'cuda' ? 'float16' : 'float32'))
const size = flags.size ?? (flags.config === 'small' ? '128x128' : '1024x1024')
const [width = NaN, height = NaN] = size.split('x').map(Number)
const common = {
  device: flags.device,
  dtype,
  prompt: flags.prompt,
  width,
  height,
  batchSizes: flags['batch-sizes'].split(',').map(Number),
  warmUp: Number(flags['warm-up']),
  runs: Number(flags.runs)
}
const choices = { config: flags.config, device: flags.device, dtype, size }

try {
  const results = await measure()
  if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
  if (flags.plot !== undefined && format !== undefined) await writeFile(flags.plot, await encodePlot(cardFigure(results), format))
  console.log(cardTable(results))
  const apart = Object.values(results.cases).filter(
    ({ difference }) => !((difference?.mean ?? 0) <= Number(flags['most-pixels']))
  )
  for (const { label } of apart) console.error(`${label}: pixels differ by more than ${flags['most-pixels']} of 255`)
  process.exitCode = Object.keys(results.unavailable).length + apart.length === 0 ? 0 : 1
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.exitCode = 130
}

/** @returns {Promise<CardResults>} */
async function measure() {
  await mkdir(work, { recursive: true })
  console.error('making the weights, unless they are there')
  const checkpoint = await makeCheckpoint(work, choices)
  const model = names.some(isOurs) ? await makeModel(work, checkpoint, choices) : undefined
  /** @type {CardResults} */
  const results = {
    date: new Date().toISOString(),
    machine: {
      ...environmentOf(undefined),
      gpu: flags.device === 'cuda' ? gpuName() : undefined,
      python: await pythonVersions()
    },
    options: { ...common, config: flags.config },
    cases: {},
    unavailable: {}
  }
  for (const name of names) {
    try {
      results.cases[name] = await measureCase(name, checkpoint, model)
    } catch (error) {
      interrupted.signal.throwIfAborted()
      results.unavailable[name] = messageOf(error)
      console.error(`${name}: not available: ${messageOf(error)}`)
    }
  }
  await compareImages(results)
  return results
}

/** @param {CaseName} name */
function isOurs(name) {
  return name === 'torchscript' || name === 'aoti'
}

/**
 * @param {CaseName} name
 * @param {string} checkpoint
 * @param {string | undefined} model
 * @returns {Promise<CaseResult>}
 */
async function measureCase(name, checkpoint, model) {
  /** @type {CaseResult} */
  const result = { label: LABELS[name], batches: [] }
  const call = { ...common, pixels: pixelsOf(name) }
  const [command, script, own] =
    model !== undefined && isOurs(name)
      ? [process.execPath, 'bench/card/ours.mjs', { kind: name, model: await modelOf(name, model) }]
      : [python, 'bench/card/peer.py', { checkpoint, config: flags.config, ...peerOf(name) }]
  await runLines(command, [join(root, script), JSON.stringify({ ...call, ...own })], {}, line => {
    const { batch, seconds } = /** @type {{ batch: number, seconds: number[] }} */ (/** @type {unknown} */ (line))
    const measured = spread(seconds)
    result.batches.push({ batch, seconds: measured })
    console.error(
      `${name}: ${batch} images in ${measured.median.toFixed(3)} s, ${(measured.median / batch).toFixed(3)} s an image`
    )
  })
  return result
}

/** @param {CaseName} name @param {string} model */
async function modelOf(name, model) {
  return name === 'aoti' ? withLibraries(model, flags.libraries, choices) : model
}

/** @param {CaseName} name */
function peerOf(name) {
  return { network: name.startsWith('sdxl') ? 'sdxl' : 'wuerstchen', compile: name.endsWith('compiled') }
}

/** @param {string} name */
function pixelsOf(name) {
  return join(work, `${name}.rgb`)
}

/** How far the first image of each case is from that of diffusers. @param {CardResults} results */
async function compareImages(results) {
  if (results.cases.eager === undefined) return
  const expected = await readFile(pixelsOf('eager'))
  for (const name of SAME) {
    const found = results.cases[name]
    if (found !== undefined) found.difference = pixelDifference(await readFile(pixelsOf(name)), expected)
  }
}

function gpuName() {
  const { stdout } = spawnSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader', '--id=0'], { encoding: 'utf8' })
  return stdout?.trim() || 'unknown GPU'
}
