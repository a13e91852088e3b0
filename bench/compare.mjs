#!/usr/bin/env node
// node bench/compare.mjs [--rounds 5] [--runs 5] [--docs]: this package beside diffusers; docs/benchmark.md explains it.
// The same weights, prompt, seeds, steps, sizes and threads on the CPU in float32, a fresh process for every case of every round,
// the cases in turn. Pictures are compared in the same run. Prints the table; progress goes to stderr.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { CASES, LABELS, prepareCases } from './cases.mjs'
import { measureEventLoop, measureSharing } from './engine.mjs'
import { makeModels, ownSize } from './models.mjs'
import { pixelDifference } from '../scripts/checks/pixels.mjs'
import { python, root } from './places.mjs'
import { interrupted, runText } from './process.mjs'
import { comparisonText, writeDocs } from './report.mjs'
import { figuresOf, samePicture } from './results.mjs'

const { values: flags } = parseArgs({
  options: {
    like: { type: 'string', default: join(root, 'models', 'tiny') },
    checkpoint: { type: 'string' },
    model: { type: 'string' },
    compiled: { type: 'string' },
    cases: { type: 'string', default: CASES.join() },
    sizes: { type: 'string' },
    'batch-sizes': { type: 'string', default: '1,4' },
    prompt: { type: 'string', default: 'a red house by the sea' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '3' },
    'compile-mode': { type: 'string', default: 'default' },
    output: { type: 'string' },
    'no-sharing': { type: 'boolean', default: false },
    docs: { type: 'boolean', default: false }
  }
})

const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-bench-'))
try {
  const results = await compare()
  if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
  if (flags.docs) await writeDocs(results)
  console.log(comparisonText(results))
  process.exitCode = results.settings.some(({ problems }) => Object.keys(problems).length > 0) ? 1 : 0
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.exitCode = 130
} finally {
  await rm(folder, { recursive: true })
}

async function compare() {
  const names = flags.cases.split(',')
  for (const name of names)
    if (!(name in LABELS)) throw new Error(`Expected some of ${CASES.join()} for --cases but received ${name}`)
  const [threads, rounds] = [Number(flags.threads), Number(flags.rounds)]
  const common = {
    prompt: flags.prompt,
    threads,
    warmUp: Number(flags['warm-up']),
    runs: Number(flags.runs),
    compileMode: flags['compile-mode'],
    // The compiler's files go where they are removed: the first round compiles, the others find them.
    env: { TORCHINDUCTOR_CACHE_DIR: join(folder, 'inductor') }
  }
  console.error('making the models')
  const { checkpoint, model } = flags.checkpoint && flags.model ? flags : await makeModels(resolve(flags.like), folder)
  const cases = await prepareCases(names, { checkpoint, model, compiled: flags.compiled, folder, common })
  for (const [name, { unavailable }] of Object.entries(cases))
    if (unavailable !== undefined) console.error(`${LABELS[name]}: not available: ${unavailable}`)
  const settings = await settingsOf(model)
  const samples = settings.map(() => Object.fromEntries(names.map(name => [name, []])))
  const problems = settings.map(() => ({}))
  const eventLoop = []
  for (let round = 0; round < rounds; round++) {
    for (const [index, setting] of settings.entries()) {
      // Another case begins each round, so that none always follows the same neighbour.
      for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
        if (cases[name].unavailable !== undefined || problems[index][name] !== undefined) continue
        const pixels = join(folder, `${name}-${index}.rgb`)
        try {
          samples[index][name].push(await cases[name].run({ ...setting, pixels }))
          console.error(
            `round ${round + 1}/${rounds}, ${setting.width}x${setting.height}, batch ${setting.batch}, ${LABELS[name]}: ${samples[index][name].at(-1).times.generate.map(Math.round)} ms`
          )
        } catch (error) {
          interrupted.signal.throwIfAborted()
          problems[index][name] = error.message
          console.error(`${LABELS[name]}: ${error.message}`)
        }
      }
      await comparePictures(samples[index], problems[index], name => join(folder, `${name}-${index}.rgb`))
    }
    eventLoop.push(await measureEventLoop(model, settings[0], common))
  }
  const unavailable = Object.fromEntries(
    names.flatMap(name => (cases[name].unavailable === undefined ? [] : [[name, cases[name].unavailable]]))
  )
  return {
    formatVersion: 1,
    date: new Date().toISOString(),
    machine: { ...environmentOf(threads), python: await pythonVersions() },
    options: { ...common, env: undefined, rounds },
    model: JSON.parse(await readFile(join(model, 'wuerstchen.json'), 'utf8')).name,
    cases: names,
    unavailable,
    settings: settings.map((setting, index) => ({
      ...setting,
      figures: figuresOf(measured(samples[index], problems[index])),
      problems: problems[index]
    })),
    eventLoop,
    sharing: flags['no-sharing'] ? { unavailable: 'not asked for' } : await measureSharing(model, settings[0], rounds, common)
  }
}

/** The size that the embedded model's targets are for, the model's own, each at every batch size. */
async function settingsOf(model) {
  const own = await ownSize(model)
  const sizes = flags.sizes?.split(',').map(size => size.split('x').map(Number)) ?? [
    [256, 256],
    [own.width, own.height]
  ]
  const unique = sizes.filter(
    ([width, height], index) => sizes.findIndex(other => other[0] === width && other[1] === height) === index
  )
  return unique.flatMap(([width, height]) =>
    flags['batch-sizes'].split(',').map(batch => ({ width, height, batch: Number(batch) }))
  )
}

/** A faster wrong picture is no result. */
async function comparePictures(samples, problems, fileOf) {
  if (samples.eager?.length === 0 || samples.eager === undefined) return
  const expected = await readFile(fileOf('eager'))
  for (const [name, rounds] of Object.entries(samples)) {
    if (rounds.length === 0 || problems[name] !== undefined) continue
    const difference = (rounds.at(-1).difference = pixelDifference(await readFile(fileOf(name)), expected))
    if (!samePicture(difference))
      problems[name] =
        `another picture than the reference's: pixels differ by ${difference.mean.toFixed(2)} on average, ${difference.max} at most`
  }
}

function measured(samples, problems) {
  return Object.fromEntries(Object.entries(samples).filter(([name, rounds]) => rounds.length > 0 && problems[name] === undefined))
}

async function pythonVersions() {
  return JSON.parse(
    await runText(python, [
      '-c',
      'import json, platform, torch, diffusers, transformers; print(json.dumps({"python": platform.python_version(), "torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}))'
    ])
  )
}
