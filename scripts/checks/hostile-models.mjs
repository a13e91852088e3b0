#!/usr/bin/env node
/**
 * Corrupted model directories, each loaded, asked for one small image and disposed of, in child processes:
 * `node scripts/checks/hostile-models.mjs [--count 3000] [--seed 1] [--only 17,18 | --kinds programs]`. It ends with 1 for a
 * crash, a hang, an error that is not typed, or an image of bytes that nobody checked. Libraries are code; what corrupted ones
 * do is counted and never fails.
 */
import { createHash } from 'node:crypto'
import { cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pipeline, WuerstchenError } from '../../dist/index.js'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { runCases, serveCases, withAddressSpace } from './attack/children.mjs'
import { CHANGES, isCode } from './attack/model-changes.mjs'
import { Random } from './attack/random.mjs'
import { checkOptions, report } from './attack/report.mjs'
/**
 * @import { Outcome } from './attack/children.mjs'
 * @import { Change } from './attack/model-changes.mjs'
 */

const WEIGHTS = Object.fromEntries(Object.entries(CHANGES).map(([name, { weight }]) => [name, weight]))
/** A call that has come so far may take its time, but not for ever. */
const IMAGE_MS = 5000
const ADDRESS_SPACE = 8 * 2 ** 30
const GREY = { data: new Uint8Array(128 * 128).fill(99), width: 128, height: 128 }

/** The case's own random numbers, and what they choose first. @param {number} seed @param {number} index */
function beginning(seed, index) {
  const random = new Random(seed, index)
  const kind = random.weighted(WEIGHTS)
  const compiled = random.chance(0.4)
  return { kind, compiled: compiled || isCode(kind), random }
}

const options = checkOptions(
  'Usage: node scripts/checks/hostile-models.mjs',
  { count: 3000, limitMs: 20_000 },
  (seed, index) => beginning(seed, index).kind
)

/** @param {number} index */
const kindOf = index => beginning(options.seed, index).kind

async function main() {
  const work = mkdtempSync(join(tmpdir(), 'wuerstchen-hostile-'))
  try {
    for (const name of ['small-model', 'compiled-model']) makeBase(join(root, 'build', name), join(work, name))
    const start = performance.now()
    const outcomes = await runCases({
      script: fileURLToPath(import.meta.url),
      args: ['--seed', String(options.seed), work],
      cases: options.cases,
      kindOf,
      alone: index => isCode(kindOf(index)),
      limitMs: options.limitMs,
      lanes: options.lanes,
      wrapper: withAddressSpace(ADDRESS_SPACE),
      cwd: work,
      onOutcome: outcome => {
        if (options.only !== undefined || (options.verbose && fails(outcome))) console.log(JSON.stringify(outcome))
      }
    })
    console.log(`seed ${options.seed}, ${((performance.now() - start) / 1000).toFixed(0)} s`)
    return report(outcomes, fails, { noted, command: `node scripts/checks/hostile-models.mjs --seed ${options.seed}` })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** @param {Outcome} outcome */
const fails = ({ kind, outcome }) =>
  !isCode(kind) && ['crash', 'hang', 'untyped', 'unchecked image', 'the check is broken'].includes(outcome)

/** INTERNAL asks to be reported, and a fault of the model is none of ours. @param {Outcome} outcome */
const noted = ({ outcome }) => outcome === 'internal'

/** The model in float32 alone, which is what is loaded. @param {string} from @param {string} to */
function makeBase(from, to) {
  cpSync(from, to, { recursive: true, filter: file => !/\.(bfloat16|float16)\.|made/.test(file) })
  const manifest = JSON.parse(readFileSync(join(to, 'wuerstchen.json'), 'utf8'))
  for (const stage of Object.values(manifest.stages))
    stage.artefacts = stage.artefacts.filter((/** @type {{ dtype: string }} */ { dtype }) => dtype === 'float32')
  writeFileSync(join(to, 'wuerstchen.json'), JSON.stringify(manifest))
}

/** A directory with the base's files, by further names: a change writes a new file. @param {string} base @param {string} to */
function linkModel(base, to) {
  rmSync(to, { recursive: true, force: true })
  for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' })) {
    if (statSync(join(base, name)).isDirectory()) continue
    mkdirSync(dirname(join(to, name)), { recursive: true })
    linkSync(join(base, name), join(to, name))
  }
}

/**
 * Everything that a model does, once.
 * @param {Pipeline} pipeline
 * @returns {Promise<string>} a hash of what it gave
 */
async function useModel(pipeline) {
  const signal = AbortSignal.timeout(IMAGE_MS)
  const hash = createHash('sha256')
  const { images } = await pipeline.generate({
    prompt: 'a photo of a cat',
    width: 128,
    height: 128,
    priorSteps: 1,
    decoderSteps: 1,
    seed: 1,
    previews: 1,
    onPreview: ({ image }) => void hash.update(image.data),
    signal
  })
  for (const image of images) hash.update(image.data)
  const embeddings = await pipeline.encodeImage(GREY, { signal })
  hash.update(await embeddings.tensor.data())
  const latents = await pipeline.encodeLatents(GREY, { signal })
  hash.update(await latents.data())
  embeddings.dispose()
  latents.dispose()
  return hash.digest('hex')
}

/**
 * @param {string} directory
 * @param {Partial<Change>} [change]
 * @returns {Promise<{ outcome: string, detail?: string, hash?: string }>}
 */
async function attempt(directory, { verify = true, later, residency = 'all' } = {}) {
  let pipeline
  try {
    let verified = 0
    pipeline = await Pipeline.load(directory, {
      threads: 1,
      dtype: 'float32',
      verify,
      residency,
      onProgress: ({ phase, done, total }) => {
        if (phase === 'verify' && done === total && verified++ === 0) later?.()
      }
    })
  } catch (error) {
    return judged('load', error)
  }
  try {
    return { outcome: 'image', hash: await useModel(pipeline) }
  } catch (error) {
    return judged('image', error)
  } finally {
    await pipeline.dispose()
  }
}

/** @param {'load' | 'image'} when @param {unknown} error */
function judged(when, error) {
  if (/** @type {Error} */ (error)?.name === 'TimeoutError') return { outcome: 'stopped by us' }
  if (!WuerstchenError.is(error)) return { outcome: 'untyped', detail: String(error).slice(0, 300) }
  const detail = `${error.code} ${error.message.slice(0, 250)}`
  return { outcome: error.code === 'INTERNAL' ? 'internal' : `typed at ${when}`, detail: `${when}: ${detail}` }
}

async function serve() {
  const work = /** @type {string} */ (options.positionals[0])
  const directory = join(work, String(process.pid))
  /** @type {Record<string, string | undefined>} */
  const expected = {}
  for (const base of ['small-model', 'compiled-model']) {
    const { hash, detail } = await attempt(join(work, base))
    if (hash === undefined) throw new Error(`the base model does not work: ${detail}`)
    expected[base] = hash
  }
  /** @type {string | undefined} */
  let unhandled
  process.on('unhandledRejection', error => (unhandled = String(error)))
  process.on('uncaughtException', error => (unhandled = String(error)))
  serveCases(async (index, note) => {
    const { kind, compiled, random } = beginning(options.seed, index)
    const base = compiled ? 'compiled-model' : 'small-model'
    linkModel(join(work, base), directory)
    const change = /** @type {NonNullable<typeof CHANGES[string]>} */ (CHANGES[kind]).make({ directory, random, compiled })
    note(change.what)
    const { hash, ...result } = await attempt(directory, change)
    const detail = [change.what, result.detail].filter(Boolean).join(' → ')
    if (unhandled !== undefined) return { outcome: 'untyped', detail: `${detail} and unhandled: ${unhandled}`, spoiled: true }
    if (hash === undefined) return { ...result, detail }
    if (hash === expected[base]) return { outcome: 'same image', detail }
    return { outcome: mustBeRefused(kind, change.what) ? 'unchecked image' : 'other image', detail }
  })
}

/** Whether the bytes were others than those of a hash that nobody changed. @param {string} kind @param {string} what */
function mustBeRefused(kind, what) {
  if (kind === 'changed after the check') return true
  return ['bits of any file', 'a length of any file', 'stages exchanged'].includes(kind) && !what.endsWith('.json')
}

if (options.child) await serve()
else process.exitCode = (await main()) ? 0 : 1
