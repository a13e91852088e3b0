#!/usr/bin/env node
/**
 * Everything that may differ between versions of LibTorch, for each one that is named:
 *   node scripts/checks/libtorch.mjs DIR [DIR …] [--short]
 * DIR is a LibTorch, of a Python torch the folder of the package itself. For each the addon is built with its headers in
 * build/libtorch/, and used with its libraries:
 * - ctest: the C++ tests
 * - picture: the embedded model's, compared with that of the first DIR, byte for byte
 * - dtypes: a small model's in float32, float16 and bfloat16, compared likewise
 * - libraries: compiled libraries that another version made, compared with their programs
 * - parity: test/parity against the committed values of the reference
 * `--short` leaves out the C++ tests and parity, and takes the addon of build/ for its version. Ends with 1 where something
 * fails or differs. Bytes may differ by one unit between versions whose kernels sum in another order; that is said and no
 * failure.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { builtAddon } from '../../lib/install/folders.mjs'
import { findLibtorch } from '../../lib/install/libtorch.mjs'
import { minorOf } from '../../lib/install/version.mjs'
import { addonFor } from '../../dist/load/choose.js'
import { addonIn } from '../../dist/load/locations.js'
import { buildNative } from '../setup/native.mjs'
import { root } from '../setup/paths.mjs'
import { provideModels } from '../../test/support/models.mjs'
import { provideLibtorch, providePython } from '../setup/provide.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean' } } })
const work = mkdtempSync(join(tmpdir(), 'wuerstchen-libtorch-'))
const addons = join(work, 'addons')
const model = (/** @type {string} */ name) => join(root, 'build', name)
let [passed, failed] = [0, 0]

/**
 * @param {string} version
 * @param {string} what
 * @param {string | undefined} problem
 * @param {number} start when it began
 * @param {string} [note]
 */
function report(version, what, problem, start, note = '') {
  if (problem === undefined) passed++
  else failed++
  const seconds = ((performance.now() - start) / 1000).toFixed(0)
  console.log(`${problem === undefined ? 'ok    ' : 'FAILS '} LibTorch ${version}  ${what}  ${seconds} s  ${problem ?? note}`)
}

/** @param {string} file @param {string[]} args @param {NodeJS.ProcessEnv} env */
function run(file, args, env) {
  const { status, signal, stdout, stderr } = spawnSync(file, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 28 })
  const text = `${stdout}${stderr}`
  return { stdout, text, problem: status === 0 ? undefined : `ended with ${signal ?? status}\n${text.slice(-3000)}` }
}

/**
 * The pixels of one image from the command line.
 * @param {NodeJS.ProcessEnv} env
 * @param {string[]} flags
 */
async function picture(env, flags) {
  const file = join(work, 'picture.png')
  rmSync(file, { force: true })
  const args = [
    join(root, 'dist', 'cli', 'main.js'),
    'generate',
    'a red heart',
    '--seed',
    '7',
    '--output',
    file,
    '--json',
    '--quiet'
  ]
  const { problem, stdout } = run(process.execPath, [...args, ...flags], env)
  if (problem !== undefined) return { problem, pixels: Buffer.alloc(0), kinds: '' }
  const { artefacts } = JSON.parse(stdout)
  const kinds = artefacts.map((/** @type {{ kind: string }} */ { kind }) => kind).join(' ')
  return { problem, pixels: await sharp(readFileSync(file)).raw().toBuffer(), kinds }
}

/** @param {Buffer} a @param {Buffer} b */
function largestDifference(a, b) {
  if (a.length !== b.length) return 256
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - /** @type {number} */ (b[index]))), 0)
}

/** The first version's pixels, by what they are of. @type {Map<string, Buffer>} */
const first = new Map()

/** @param {string} version @param {string} what @param {NodeJS.ProcessEnv} env @param {string[]} flags @param {boolean} [aoti] */
async function comparePicture(version, what, env, flags, aoti = false) {
  const start = performance.now()
  const { problem, pixels, kinds } = await picture(env, flags)
  if (problem !== undefined) return report(version, what, problem, start)
  if (aoti && !kinds.includes('aoti')) return report(version, what, `no library is used: ${kinds}`, start)
  const before = first.get(what) ?? pixels
  first.set(what, before)
  const difference = largestDifference(before, pixels)
  report(
    version,
    what,
    difference > 1 ? `differs by ${difference} of 255` : undefined,
    start,
    difference === 0 ? 'the same bytes' : 'differs by 1 of 255'
  )
}

/** @param {string} directory */
async function check(directory) {
  const { found, refused } = findLibtorch([{ source: directory, required: true, python: null, directory: () => directory }])
  if (found === undefined) return report('?', 'found', refused, performance.now())
  const { version } = found
  const minor = minorOf(version)
  const out = join(root, 'build', 'libtorch', minor)
  let start = performance.now()
  const there = builtAddon({}, minor)
  const isThere = values.short && addonFor([addonIn(there)], version) !== undefined
  if (!isThere) buildNative(found, { out, tests: !values.short })
  const env = {
    ...process.env,
    WUERSTCHEN_LIBTORCH: directory,
    WUERSTCHEN_ADDON_DIR: addons,
    WUERSTCHEN_TEST_MODELS: 'keep',
    NO_COLOR: '1'
  }
  const place = builtAddon(env, minor)
  mkdirSync(dirname(place), { recursive: true })
  cpSync(isThere ? there : join(out, 'Release'), place, { recursive: true })
  report(version, 'build', undefined, start, isThere ? 'that of build/' : '')
  if (!values.short) {
    start = performance.now()
    const { problem, text } = run('ctest', ['--test-dir', out, '--output-on-failure'], env)
    report(version, 'ctest', problem, start, /\d+% tests passed.*/.exec(text)?.[0])
  }
  await comparePicture(version, 'picture', env, [])
  for (const dtype of ['float32', 'float16', 'bfloat16'])
    await comparePicture(version, `small model, ${dtype}`, env, ['--model', model('small-model'), '--dtype', dtype])
  await comparePicture(version, 'libraries', env, ['--model', model('compiled-model')], true)
  if (values.short) return
  start = performance.now()
  const parity = run(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', 'test/parity'], env)
  report(version, 'parity', parity.problem, start, /Tests .*/.exec(parity.text)?.[0])
}

if (positionals.length === 0) throw new Error('Expected the folder of a LibTorch')
await provideModels(providePython(provideLibtorch(process.env)))
for (const directory of positionals) await check(resolve(directory))
rmSync(work, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
