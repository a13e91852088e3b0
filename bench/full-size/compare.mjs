#!/usr/bin/env node
// node bench/full-size/compare.mjs --work DIR [--rounds 3] [--runs 2] [--compile] [--device cuda --dtype float16] [--compiled-peer] [--output FILE]: one
// step of Stage B at 1024×1024 and one of Stage C with guidance, published sizes with seeded random weights, beside diffusers.
// docs/benchmark.md explains it. Needs 14 GiB of free memory and 20 GB of disk in --work, where the checkpoint and the model directory stay.
// --compile makes the compiled libraries first, where they are not there yet; --compiled-peer measures diffusers with torch.compile too.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environmentOf } from '../../dist/bench/environment.js'
import { median } from '../../dist/bench/statistics.js'
import { LABELS } from '../cases.mjs'
import { python, root } from '../places.mjs'
import { interrupted, runLines, runText } from '../process.mjs'
import { range, share, table } from '../markdown.mjs'
import { ratio, spread } from '../results.mjs'

const NEEDED_BYTES = 14 * 2 ** 30
/** Largest difference relative to the largest value: rounding through a thousand million weights. A GPU's float32 convolutions have TF32's ten bits. */
const TOLERANCE = { cpu: { float32: 1e-4 }, cuda: { float32: 1e-2, float16: 2e-2, bfloat16: 1e-1 } }

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
  throw new Error('Expected cpu and float32, or cuda and float32, float16 or bfloat16, for --device and --dtype')
const work = resolve(flags.work)
const available = Number(/MemAvailable:\s+(\d+) kB/.exec(await readFile('/proc/meminfo', 'utf8'))[1]) * 1024
if (available < NEEDED_BYTES) throw new Error(`Expected 14 GiB of free memory but there are ${(available / 2 ** 30).toFixed(1)}`)

await mkdir(work, { recursive: true })
console.error('making the checkpoint and the model, unless they are there')
await runText(python, ['bench/full-size/prepare.py', work, dtype, device, 'published-networks'])
if (flags.compile) await compileStages()
const stages = {}
for (const stage of flags.stages.split(',')) stages[stage] = await compareStage(stage)
const results = {
  formatVersion: 1,
  date: new Date().toISOString(),
  machine: environmentOf(Number(flags.threads)),
  options: { rounds: Number(flags.rounds), runs: Number(flags.runs), device, dtype },
  stages
}
if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
console.log(fullSizeText(results))
process.exitCode = Object.values(stages).every(
  ({ differences, failed }) => failed.length === 0 && Object.values(differences).every(value => value <= tolerance)
)
  ? 0
  : 1

/** File names of the programs that have a compiled step. */
async function compiledFiles() {
  const index = await readFile(join(work, 'model', 'compiled', 'compiled.json'), 'utf8').catch(() => '{"artefacts":[]}')
  return JSON.parse(index)
    .artefacts.filter(({ libraries }) => 'step' in libraries)
    .map(({ program }) => program.file)
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

async function compareStage(stage) {
  const directory = join(work, 'stages', stage)
  await mkdir(directory, { recursive: true })
  await runText(python, ['bench/full-size/peer.py', 'inputs', stage, directory])
  const peer = name => [
    python,
    ['bench/full-size/peer.py', 'run', name, stage, directory, join(work, 'checkpoint'), flags.threads, flags.runs, device, dtype]
  ]
  const cases = { eager: peer('eager'), ...(flags['compiled-peer'] && { compiled: peer('compiled') }) }
  const { stages } = JSON.parse(await readFile(join(work, 'model', 'wuerstchen.json'), 'utf8'))
  const unavailable = {}
  const { file } = stages[stage].artefacts.find(artefact => artefact.dtype === dtype && artefact.device === device)
  const run = kind => [
    process.execPath,
    ['bench/full-size/stage.mjs', join(work, 'model', file), kind, directory, flags.threads, flags.runs]
  ]
  cases.torchscript = run('torchscript')
  if ((await compiledFiles()).includes(file)) cases.aoti = run('aoti')
  else unavailable.aoti = 'the model directory has no compiled library of it (--compile)'
  const samples = Object.fromEntries(Object.keys(cases).map(name => [name, []]))
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [name, [command, args]] of Object.entries(cases)) {
      if (name in unavailable) continue
      try {
        samples[name].push((await runLines(command, args)).at(-1))
      } catch ({ message }) {
        interrupted.signal.throwIfAborted()
        unavailable[name] = message
        delete samples[name]
        continue
      }
      console.error(
        `round ${round + 1}/${flags.rounds}, ${stage}, ${LABELS[name]}: ${samples[name].at(-1).step.map(ms => ms.toFixed(1))} ms`
      )
    }
  }
  const figures = Object.fromEntries(
    Object.entries(samples).map(([name, rounds]) => [
      name,
      {
        step: spread(rounds.map(({ step }) => median(step))),
        used: spread(rounds.map(({ usedBytes }) => usedBytes)),
        ...(rounds[0].condition !== undefined && { condition: spread(rounds.map(({ condition }) => condition)) }),
        ...(name !== 'eager' &&
          samples.eager !== undefined && {
            against: {
              step: ratio(rounds, samples.eager, ({ step }) => median(step)),
              used: ratio(rounds, samples.eager, ({ usedBytes }) => usedBytes)
            }
          })
      }
    ])
  )
  const differences = {}
  for (const kind of Object.keys(samples).filter(name => name !== 'eager' && samples.eager !== undefined))
    differences[kind] = await relativeDifference(directory, kind)
  return { figures, differences, unavailable, failed: Object.keys(unavailable).filter(name => name in cases) }
}

async function relativeDifference(directory, kind) {
  const read = async name => new Float32Array(new Uint8Array(await readFile(join(directory, `${name}.bin`))).buffer)
  const [actual, expected] = [await read(kind), await read('eager')]
  if (actual.length !== expected.length) return Infinity
  let [largest, difference] = [0, 0]
  for (let index = 0; index < expected.length; index++) {
    largest = Math.max(largest, Math.abs(expected[index]))
    difference = Math.max(difference, Math.abs(actual[index] - expected[index]))
  }
  return difference / largest
}

function fullSizeText({ stages }) {
  const seconds = value => (value < 1000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(2)} s`)
  const gigabytes = value => `${(value / 1e9).toFixed(2)} GB`
  const names = { prior: 'Stage C, guidance, 1024×1024', decoder: 'Stage B, 1024×1024' }
  const rows = Object.entries(stages).flatMap(([stage, { figures, differences, unavailable }]) => [
    ...Object.entries(figures).map(([name, { step, condition, used, against }]) => [
      names[stage],
      LABELS[name],
      range(step, seconds),
      range(against?.step, share),
      range(condition, seconds),
      range(used, gigabytes),
      range(against?.used, share),
      differences[name]?.toExponential(1) ?? ''
    ]),
    ...Object.entries(unavailable).map(([name, why]) => [names[stage], LABELS[name], `not available: ${why}`, '', '', '', '', ''])
  ])
  return table([
    ['Stage', '', 'A step', '/ eager', 'Once an image', 'Memory after the first step', '/ eager', 'Largest difference'],
    ...rows
  ])
}
