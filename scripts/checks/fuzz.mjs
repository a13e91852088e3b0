#!/usr/bin/env node
/**
 * Mutates the corpus of test/fuzz and feeds the targets of test/fuzz/targets.mjs, in child processes, for as long as asked:
 * `node scripts/checks/fuzz.mjs [--seconds 60] [--seed 1] [--target embeddings] [--only 17]`; for hours, `--seconds 14400
 * --seed N`. It ends with 1 for a crash, a hang, or an error that is not typed. `--only` writes the input to build/fuzz, for a
 * new file of the corpus.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Pipeline, WuerstchenError } from '../../dist/index.js'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { SMALL, TARGETS } from '../../test/fuzz/targets.mjs'
import { mutated } from './attack/bytes.mjs'
import { runCases, serveCases, withAddressSpace } from './attack/children.mjs'
import { Random } from './attack/random.mjs'
import { report } from './attack/report.mjs'
import { changedValue, pathsOf } from './attack/values.mjs'
import { zipMutated } from './attack/zip.mjs'
/** @import { Outcome } from './attack/children.mjs' */
/** @import { Target } from '../../test/fuzz/targets.mjs' */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    only: { type: 'string' },
    lanes: { type: 'string' },
    child: { type: 'boolean' }
  }
})
const seed = Number(values.seed)
const NAMES = values.target ?? Object.keys(TARGETS)
const CORPUS = join(root, 'test', 'fuzz', 'corpus')

/** @param {number} index */
const nameOf = index => /** @type {string} */ (NAMES[index % NAMES.length])

/** The input with a number: a file of the corpus, changed once to four times. @param {number} index */
function inputOf(index) {
  const random = new Random(seed, index)
  const name = nameOf(index)
  const { words, fresh = bytes => bytes } = /** @type {Target} */ (TARGETS[name])
  const files = readdirSync(join(CORPUS, name)).sort()
  const read = () => fresh(readFileSync(join(CORPUS, name, random.pick(files))))
  let bytes = read()
  for (let times = 1 + random.int(4); times > 0; times--)
    bytes = (random.chance(0.7) && structured(random, name, bytes, read())) || mutated(random, bytes, words)
  return bytes
}

/**
 * A change of what the format consists of; nothing where it was broken before.
 * @param {Random} random @param {string} name @param {Buffer} bytes @param {Buffer} other
 */
function structured(random, name, bytes, other) {
  if (name === 'embeddings') return undefined
  try {
    if (name === 'program') return zipMutated(random, bytes, other).bytes
    const json = JSON.parse(bytes.toString())
    return Buffer.from(JSON.stringify(changedValue(random, json, random.pick(pathsOf(json))).value))
  } catch {
    return undefined
  }
}

/** @param {Outcome} outcome */
const fails = ({ outcome }) => ['crash', 'hang', 'untyped', 'the check is broken'].includes(outcome)

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-fuzz-'))
  const only = values.only?.split(',').map(Number)
  function* endless() {
    const end = performance.now() + Number(values.seconds) * 1000
    for (let index = 0; performance.now() < end; index++) yield index
  }
  try {
    const outcomes = await runCases({
      script: fileURLToPath(import.meta.url),
      args: ['--seed', values.seed, ...NAMES.flatMap(name => ['--target', name]), folder],
      cases: only ?? endless(),
      kindOf: nameOf,
      limitMs: 20_000,
      lanes: values.lanes === undefined ? undefined : Number(values.lanes),
      wrapper: withAddressSpace(8 * 2 ** 30),
      perChild: 2000
    })
    for (const index of only ?? []) {
      mkdirSync(join(root, 'build', 'fuzz'), { recursive: true })
      writeFileSync(join(root, 'build', 'fuzz', `${nameOf(index)}-${seed}-${index}`), inputOf(index))
      console.log(JSON.stringify(outcomes.find(each => each.index === index)))
    }
    const noted = (/** @type {Outcome} */ { outcome }) => outcome === 'internal'
    const targets = values.target === undefined ? '' : NAMES.map(name => ` --target ${name}`).join('')
    return report(outcomes, fails, { noted, command: `node scripts/checks/fuzz.mjs --seed ${seed}${targets}` })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function serve() {
  const folder = join(/** @type {string} */ (positionals[0]), String(process.pid))
  const pipeline = await Pipeline.load(SMALL, { threads: 1, dtype: 'float32' })
  serveCases(async index => {
    try {
      await /** @type {Target} */ (TARGETS[nameOf(index)]).run(inputOf(index), { folder, pipeline })
      return { outcome: 'accepted' }
    } catch (error) {
      const { name } = /** @type {Error} */ (error)
      if (name === 'TimeoutError') return { outcome: 'stopped by us' }
      // The target itself reads JSON, as a program would.
      if (nameOf(index) === 'options' && error instanceof SyntaxError) return { outcome: 'no JSON' }
      if (!WuerstchenError.is(error)) return { outcome: 'untyped', detail: String(error) }
      return { outcome: error.code === 'INTERNAL' ? 'internal' : 'typed', detail: `${error.code} ${error.message.slice(0, 200)}` }
    }
  })
}

if (values.child) await serve()
else process.exitCode = (await main()) ? 0 : 1
