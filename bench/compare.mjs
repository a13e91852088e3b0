#!/usr/bin/env node
// node bench/compare.mjs [--rounds 5] [--runs 5] [--docs]: this package beside diffusers; docs/benchmark.md explains it.
// --docs writes the documents, and refuses that where the machine was not idle or the rounds do not agree.
// The same weights, prompt, seeds, steps, sizes and threads on the CPU in float32, a fresh process for every case of every round,
// the cases in turn. Images are compared in the same run. Prints the table; progress goes to stderr.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environmentOf } from '../dist/bench/environment.js'
import { CASES, LABELS, OTHER_IMAGES, prepareCases } from './cases.mjs'
import { measureEventLoop, measureSharing } from './engine.mjs'
import { makeModels, ownSize } from './models.mjs'
import { pixelDifference } from '../scripts/checks/pixels.mjs'
import { root } from './places.mjs'
import { interrupted, messageOf } from './process.mjs'
import { pythonVersions } from './python-versions.mjs'
import { loadObjection, objections } from './quotable.mjs'
import { comparisonText, writeDocs } from './report.mjs'
import { figuresOf, samePicture } from './results.mjs'
import { measureRoofline, rooflineOf } from './roofline.mjs'
/**
 * @import { EventLoopDelay } from '../dist/bench/event-loop.js'
 * @import { CaseName, Common, Setting } from './cases.mjs'
 * @import { Sample } from './results.mjs'
 */

/**
 * What was measured in one setting: samples by case, one a round, and what went wrong with a case.
 * @typedef {{ setting: Setting, samples: Record<string, Sample[]>, problems: Record<string, string> }} Measured
 */

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

// Before anything of its own runs.
const loadAverage = loadavg()[0] ?? NaN
const busy = flags.docs ? loadObjection(loadAverage) : undefined
if (busy !== undefined) {
  console.error(busy)
  process.exit(1)
}

const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-bench-'))
try {
  const results = await compare()
  if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
  console.log(comparisonText(results))
  const against = flags.docs ? objections(results) : []
  for (const objection of against) console.error(objection)
  if (flags.docs && against.length === 0) await writeDocs(results)
  const failed = results.settings.some(({ problems }) => Object.keys(problems).length > 0)
  process.exitCode = failed || against.length > 0 ? 1 : 0
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.exitCode = 130
} finally {
  await rm(folder, { recursive: true })
}

async function compare() {
  const names = flags.cases.split(',').map(caseNamed)
  const [threads, rounds] = [Number(flags.threads), Number(flags.rounds)]
  /** @type {Common} */
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
  const { checkpoint, model } =
    flags.checkpoint && flags.model
      ? { checkpoint: flags.checkpoint, model: flags.model }
      : await makeModels(resolve(flags.like), folder)
  const cases = await prepareCases(names, { checkpoint, model, compiled: flags.compiled, folder, common })
  /** @type {Record<string, string>} */
  const unavailable = {}
  for (const [name, prepared] of cases) {
    if (!('unavailable' in prepared)) continue
    unavailable[name] = prepared.unavailable
    console.error(`${LABELS[name]}: not available: ${prepared.unavailable}`)
  }
  const settings = await settingsOf(model)
  const [smallest] = settings
  if (smallest === undefined) throw new Error('Expected at least one size and one batch size')
  /** @type {Measured[]} */
  const measured = settings.map(setting => ({ setting, samples: {}, problems: {} }))
  /** @type {EventLoopDelay[]} */
  const eventLoop = []
  const rooflines = []
  for (let round = 0; round < rounds; round++) {
    for (const [index, { setting, samples, problems }] of measured.entries()) {
      // Another case begins each round, so that none always follows the same neighbour.
      for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
        const prepared = cases.get(name)
        if (prepared === undefined || 'unavailable' in prepared || problems[name] !== undefined) continue
        const pixels = join(folder, `${name}-${index}.rgb`)
        try {
          const sample = await prepared.run({ ...setting, pixels })
          samples[name] = [...(samples[name] ?? []), sample]
          console.error(
            `round ${round + 1}/${rounds}, ${setting.width}x${setting.height}, batch ${setting.batch}, ${LABELS[name]}: ${sample.times.generate.map(Math.round)} ms`
          )
        } catch (error) {
          interrupted.signal.throwIfAborted()
          problems[name] = messageOf(error)
          console.error(`${LABELS[name]}: ${problems[name]}`)
        }
      }
      await compareImages(samples, problems, name => join(folder, `${name}-${index}.rgb`))
    }
    eventLoop.push(await measureEventLoop(model, smallest, common))
    rooflines.push(await measureRoofline(model, settings, threads))
  }
  return {
    formatVersion: 1,
    date: new Date().toISOString(),
    machine: { ...environmentOf(threads), loadAverage, python: await pythonVersions() },
    options: { ...common, env: undefined, rounds },
    model: JSON.parse(await readFile(join(model, 'wuerstchen.json'), 'utf8')).name,
    cases: names,
    unavailable,
    settings: measured.map(({ setting, samples, problems }) => ({
      ...setting,
      figures: figuresOf(Object.fromEntries(Object.entries(samples).filter(([name]) => problems[name] === undefined))),
      problems
    })),
    roofline: rooflineOf(rooflines),
    eventLoop,
    sharing: flags['no-sharing'] ? { unavailable: 'not asked for' } : await measureSharing(model, smallest, rounds, common)
  }
}

/** @param {string} name @returns {CaseName} */
function caseNamed(name) {
  const known = CASES.find(other => other === name)
  if (known === undefined) throw new Error(`Expected some of ${CASES.join()} for --cases but received ${name}`)
  return known
}

/**
 * The size that the embedded model's targets are for, the model's own, each at every batch size.
 * @param {string} model
 * @returns {Promise<Setting[]>}
 */
async function settingsOf(model) {
  const own = await ownSize(model)
  const sizes = new Set(flags.sizes?.split(',') ?? ['256x256', `${own.width}x${own.height}`])
  return [...sizes].flatMap(size => {
    const [width = NaN, height = NaN] = size.split('x').map(Number)
    return flags['batch-sizes'].split(',').map(batch => ({ width, height, batch: Number(batch) }))
  })
}

/**
 * A faster wrong image is no result.
 * @param {Record<string, Sample[]>} samples
 * @param {Record<string, string>} problems
 * @param {(name: string) => string} fileOf
 */
async function compareImages(samples, problems, fileOf) {
  if (samples.eager === undefined) return
  const expected = await readFile(fileOf('eager'))
  for (const [name, rounds] of Object.entries(samples)) {
    const last = rounds.at(-1)
    if (last === undefined || problems[name] !== undefined) continue
    const difference = (last.difference = pixelDifference(await readFile(fileOf(name)), expected))
    if (!samePicture(difference) && !OTHER_IMAGES.some(other => other === name))
      problems[name] =
        `another image than the reference's: pixels differ by ${difference.mean.toFixed(2)} on average, ${difference.max} at most`
  }
}
