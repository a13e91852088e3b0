#!/usr/bin/env node
// node bench/full-size/compare.mjs --work DIR [--rounds 3] [--runs 2] [--compile] [--device cuda --dtype float16]
//     [--compiled-peer] [--output FILE]
// One step of Stage B at 1024×1024 and one of Stage C with guidance beside diffusers, published sizes, seeded random weights.
// docs/benchmark.md explains it. It needs 14 GiB of free memory and 20 GB of disk in --work, where the checkpoint and the model
// directory stay. --compile makes the compiled libraries first, where they are not there yet; --compiled-peer measures diffusers
// with torch.compile too.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environmentOf } from '../../dist/bench/environment.js'
import { median } from '../../dist/bench/statistics.js'
import { LABELS } from '../cases.mjs'
import { python, root } from '../places.mjs'
import { interrupted, messageOf, runLines, runText } from '../process.mjs'
import { range, share, table } from '../markdown.mjs'
import { ratio, spread } from '../results.mjs'
/**
 * @import { CaseName } from '../cases.mjs'
 * @import { Cell } from '../markdown.mjs'
 * @import { Spread } from '../results.mjs'
 */

/**
 * What one process gives: milliseconds of each step and of what runs once an image, and memory after the first step.
 * @typedef {{ step: number[], condition?: number, usedBytes: number }} Sample
 */

/**
 * @typedef {object} Figures
 * @property {Spread} step
 * @property {Spread} used
 * @property {Spread} [condition]
 * @property {{ step: Spread | undefined, used: Spread | undefined }} [against] the eager peer
 */

/**
 * What was measured of a stage.
 * @typedef {object} StageResult
 * @property {Map<CaseName, Figures>} figures
 * @property {Map<CaseName, number>} differences from the eager peer, relative to its largest value
 * @property {Map<CaseName, string>} unavailable why
 * @property {CaseName[]} failed cases that began and gave nothing
 */

const NEEDED_BYTES = 14 * 2 ** 30
/**
 * Largest difference relative to the largest value: rounding through a thousand million weights. A GPU's float32 convolutions
 * have the ten bits of TF32.
 * @type {Record<string, Record<string, number>>}
 */
const TOLERANCE = { cpu: { float32: 1e-4, bfloat16: 1e-1 }, cuda: { float32: 1e-2, float16: 2e-2, bfloat16: 1e-1 } }

const { values: flags } = parseArgs({
  options: {
    work: { type: 'string' },
    stages: { type: 'string', default: 'prior,decoder' },
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string', default: '2' },
    threads: { type: 'string', default: '2' },
    compile: { type: 'boolean', default: false },
    device: { type: 'string', default: 'cpu' },
    dtype: { type: 'string', default: 'float32' },
    'compiled-peer': { type: 'boolean', default: false },
    output: { type: 'string' }
  }
})
if (flags.work === undefined) throw new Error('Expected --work DIR, a directory for 20 GB')
const { device, dtype } = flags
const tolerance = TOLERANCE[device]?.[dtype]
if (tolerance === undefined)
  throw new Error('Expected cpu and float32 or bfloat16, or cuda and float32, float16 or bfloat16, for --device and --dtype')
const work = resolve(flags.work)
const available = Number(/MemAvailable:\s+(\d+) kB/.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]) * 1024
if (available < NEEDED_BYTES) throw new Error(`Expected 14 GiB of free memory but there are ${(available / 2 ** 30).toFixed(1)}`)

await mkdir(work, { recursive: true })
console.error('making the checkpoint and the model, unless they are there')
await runText(python, ['bench/full-size/prepare.py', work, dtype, device, 'published-networks'])
if (flags.compile) await compileStages()
/** @type {Map<string, StageResult>} */
const stages = new Map()
for (const stage of flags.stages.split(',')) stages.set(stage, await compareStage(stage))
const results = {
  formatVersion: 1,
  date: new Date().toISOString(),
  machine: environmentOf(Number(flags.threads)),
  options: { rounds: Number(flags.rounds), runs: Number(flags.runs), device, dtype },
  stages: Object.fromEntries(
    [...stages].map(([stage, { figures, differences, unavailable, failed }]) => [
      stage,
      {
        figures: Object.fromEntries(figures),
        differences: Object.fromEntries(differences),
        unavailable: Object.fromEntries(unavailable),
        failed
      }
    ])
  )
}
if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
console.log(fullSizeText(stages))
process.exitCode = [...stages.values()].every(
  ({ differences, failed }) => failed.length === 0 && [...differences.values()].every(value => value <= tolerance)
)
  ? 0
  : 1

/** File names of the programs that have a compiled step. */
async function compiledFiles() {
  const index = await readFile(join(work, 'model', 'compiled', 'compiled.json'), 'utf8').catch(() => '{"artefacts":[]}')
  /** @type {{ artefacts: { libraries: object, program: { file: string } }[] }} */
  const { artefacts } = JSON.parse(index)
  return artefacts.filter(({ libraries }) => 'step' in libraries).map(({ program }) => program.file)
}

async function compileStages() {
  const files = await compiledFiles()
  const missing = flags.stages.split(',').filter(stage => !files.includes(`${stage}.${dtype}.${device}.pt`))
  if (missing.length === 0) return
  console.error(`compiling ${missing.join(' and ')}`)
  await runText(process.execPath, [
    join(root, 'dist', 'cli', 'main.js'),
    'export',
    '--compile',
    join(work, 'model'),
    '--dtype',
    dtype,
    '--device',
    device,
    '--stages',
    ...missing
  ])
}

/**
 * @param {string} stage
 * @returns {Promise<StageResult>}
 */
async function compareStage(stage) {
  const directory = join(work, 'stages', stage)
  await mkdir(directory, { recursive: true })
  await runText(python, ['bench/full-size/peer.py', 'inputs', stage, directory])
  /** @type {Map<CaseName, [command: string, args: string[]]>} */
  const cases = new Map()
  /** @type {Map<CaseName, string>} */
  const unavailable = new Map()
  /** @param {CaseName} name @returns {[command: string, args: string[]]} */
  const peer = name => [
    python,
    ['bench/full-size/peer.py', 'run', name, stage, directory, join(work, 'checkpoint'), flags.threads, flags.runs, device, dtype]
  ]
  cases.set('eager', peer('eager'))
  if (flags['compiled-peer']) cases.set('compiled', peer('compiled'))
  const file = await programOf(stage)
  /** @param {CaseName} kind @returns {[command: string, args: string[]]} */
  const run = kind => [
    process.execPath,
    ['bench/full-size/stage.mjs', join(work, 'model', file), kind, directory, flags.threads, flags.runs]
  ]
  cases.set('torchscript', run('torchscript'))
  if ((await compiledFiles()).includes(file)) cases.set('aoti', run('aoti'))
  else unavailable.set('aoti', 'the model directory has no compiled library of it (--compile)')
  /** @type {Map<CaseName, Sample[]>} */
  const samples = new Map()
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [name, [command, args]] of cases) {
      if (unavailable.has(name)) continue
      try {
        const sample = /** @type {Sample} */ (/** @type {unknown} */ ((await runLines(command, args)).at(-1)))
        samples.set(name, [...(samples.get(name) ?? []), sample])
        const steps = sample.step.map(ms => ms.toFixed(1))
        console.error(`round ${round + 1}/${flags.rounds}, ${stage}, ${LABELS[name]}: ${steps} ms`)
      } catch (error) {
        interrupted.signal.throwIfAborted()
        unavailable.set(name, messageOf(error))
        samples.delete(name)
      }
    }
  }
  const eager = samples.get('eager')
  /** @type {Map<CaseName, Figures>} */
  const figures = new Map()
  /** @type {Map<CaseName, number>} */
  const differences = new Map()
  for (const [name, rounds] of samples) {
    const own = figuresOf(rounds)
    if (name === 'eager' || eager === undefined) {
      figures.set(name, own)
      continue
    }
    const step = ratio(rounds, eager, ({ step }) => median(step))
    const used = ratio(rounds, eager, ({ usedBytes }) => usedBytes)
    figures.set(name, { ...own, against: { step, used } })
    differences.set(name, await relativeDifference(directory, name))
  }
  return { figures, differences, unavailable, failed: [...unavailable.keys()].filter(name => cases.has(name)) }
}

/** @param {string} stage */
async function programOf(stage) {
  /** @type {{ stages: Record<string, { artefacts: { file: string, dtype: string, device: string }[] }> }} */
  const { stages } = JSON.parse(await readFile(join(work, 'model', 'wuerstchen.json'), 'utf8'))
  const artefact = stages[stage]?.artefacts.find(artefact => artefact.dtype === dtype && artefact.device === device)
  if (artefact === undefined) throw new Error(`Expected a program of ${stage} for ${device} in ${dtype}`)
  return artefact.file
}

/**
 * @param {Sample[]} rounds
 * @returns {Figures}
 */
function figuresOf(rounds) {
  const conditions = rounds.flatMap(({ condition }) => condition ?? [])
  return {
    step: spread(rounds.map(({ step }) => median(step))),
    used: spread(rounds.map(({ usedBytes }) => usedBytes)),
    ...(conditions.length > 0 && { condition: spread(conditions) })
  }
}

/** @param {string} directory @param {CaseName} kind */
async function relativeDifference(directory, kind) {
  /** @param {CaseName} name */
  const read = async name => new Float32Array(new Uint8Array(await readFile(join(directory, `${name}.bin`))).buffer)
  const [actual, expected] = [await read(kind), await read('eager')]
  if (actual.length !== expected.length) return Infinity
  let [largest, difference] = [0, 0]
  for (const [index, value] of expected.entries()) {
    largest = Math.max(largest, Math.abs(value))
    difference = Math.max(difference, Math.abs((actual[index] ?? NaN) - value))
  }
  return difference / largest
}

/** @param {Map<string, StageResult>} stages */
function fullSizeText(stages) {
  /** @param {number} value */
  const seconds = value => (value < 1000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(2)} s`)
  /** @param {number} value */
  const gigabytes = value => `${(value / 1e9).toFixed(2)} GB`
  /** @type {Record<string, string>} */
  const names = { prior: 'Stage C, guidance, 1024×1024', decoder: 'Stage B, 1024×1024' }
  /** @type {Cell[][]} */
  const rows = [...stages].flatMap(([stage, { figures, differences, unavailable }]) => [
    ...[...figures].map(([name, { step, condition, used, against }]) => [
      names[stage] ?? stage,
      LABELS[name],
      range(step, seconds),
      range(against?.step, share),
      range(condition, seconds),
      range(used, gigabytes),
      range(against?.used, share),
      differences.get(name)?.toExponential(1) ?? ''
    ]),
    ...[...unavailable].map(([name, why]) => [names[stage] ?? stage, LABELS[name], `not available: ${why}`, '', '', '', '', ''])
  ])
  return table([
    ['Stage', '', 'A step', '/ eager', 'Once an image', 'Memory after the first step', '/ eager', 'Largest difference'],
    ...rows
  ])
}
