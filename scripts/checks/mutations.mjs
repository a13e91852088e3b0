#!/usr/bin/env node
/**
 * Breaks the code once for each entry of test/mutations.mjs, in copies of the checkout outside of it, and runs the tests that
 * should
 * notice: `node scripts/checks/mutations.mjs [--native] [--jobs N] [--at DIR] [name …]`. Ends with 1 where one goes unnoticed.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { applied, MUTATIONS, sourceOf } from '../../test/mutations.mjs'
import { provideModels } from '../../test/support/models.mjs'
import { provideLibtorch, providePython } from '../setup/provide.mjs'
import { venvPython } from '../../lib/install/libtorch.mjs'
import { packageRoot as root } from '../../lib/install/root.mjs'

/** @typedef {import('../../test/mutations.mjs').Mutation} Mutation */
/** What failed, by name, and what the runner printed. @typedef {{ failed: string[], passed: number, says: string }} Outcome */

const help = `Usage: node scripts/checks/mutations.mjs [--native] [--jobs N] [--at DIR] [name …]

Applies each mutation of test/mutations.mjs (or those named) to a copy of this checkout, and runs its tests there.
  --native   also those of C++: the copy is then built, which takes minutes
  --jobs N   copies at work side by side (default: one for two cores; with --native: 1)
  --at DIR   where the copies are made and kept; a second run builds only what differs (default: a temporary folder)`

/** Longer than any of these tests takes on a busy machine. A mutation that makes one hang is noticed, too. */
const LIMIT_MS = 300_000
/** For all of them together. */
const LONG_LIMIT_MS = 3_600_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    native: { type: 'boolean' },
    jobs: { type: 'string' },
    at: { type: 'string' },
    help: { type: 'boolean', short: 'h' }
  }
})
/** @returns {Promise<boolean>} whether everything was caught */
async function main() {
  const unknown = positionals.filter(name => !MUTATIONS.some(mutation => mutation.name === name))
  if (unknown.length > 0) throw new Error(`Expected names of test/mutations.mjs but received ${unknown.join(', ')}`)
  const asked = positionals.length > 0 ? MUTATIONS.filter(({ name }) => positionals.includes(name)) : MUTATIONS
  const chosen = [
    ...asked.filter(({ native }) => native !== true),
    ...(values.native ? asked.filter(({ native }) => native) : [])
  ]
  // Before anything is copied: an entry that no longer fits the code is a failure of the list.
  for (const mutation of chosen) applied(mutation, sourceOf(root, mutation))
  await provideModels(providePython(provideLibtorch(process.env)))
  const base = values.at ?? mkdtempSync(join(tmpdir(), 'wuerstchen-mutations-'))
  const jobs = values.jobs === undefined ? (values.native ? 1 : Math.ceil(availableParallelism() / 2)) : Number(values.jobs)
  try {
    const copies = Array.from({ length: Math.max(1, Math.min(jobs, chosen.length)) }, (_, index) =>
      makeCopy(join(base, String(index)))
    )
    const failing = await failingBefore(/** @type {string} */ (copies[0]), chosen)
    const waiting = [...chosen]
    let missed = 0
    await Promise.all(
      copies.map(async copy => {
        for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
          if (!(await isCaught(copy, mutation, failing))) missed++
        }
      })
    )
    console.log(`${chosen.length - missed} caught, ${missed} not caught, ${asked.length - chosen.length} left out (native)`)
    return missed === 0 && failing.length === 0
  } finally {
    if (values.at === undefined) rmSync(base, { recursive: true, force: true })
  }
}

/**
 * The checkout as it is now, changed and new files too. What no mutation changes is linked.
 * @param {string} copy
 */
function makeCopy(copy) {
  const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8'
  })
  const linked = ['node_modules', '.venv', 'models', 'docs', ...(values.native ? [] : ['build'])]
  // A link is not followed: what stands behind it could be the checkout, or what it was built to.
  const files = listed.stdout
    .split('\0')
    .filter(name => !['', 'build', ...linked].includes(name.split('/')[0] ?? '') && existsSync(join(root, name)))
    .filter(name => lstatSync(join(root, name)).isFile())
  for (const folder of ['lib', 'cpp', 'scripts', 'test'].filter(name => existsSync(join(copy, name)))) {
    const stale = readdirSync(join(copy, folder), { recursive: true, encoding: 'utf8' })
      .map(name => join(folder, name))
      .filter(name => !files.includes(name) && statSync(join(copy, name)).isFile())
    for (const name of stale) rmSync(join(copy, name))
  }
  for (const file of files) {
    const [from, to] = [join(root, file), join(copy, file)]
    // Not where nothing differs: the build looks at times.
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue
    mkdirSync(dirname(to), { recursive: true })
    cpSync(from, to)
  }
  for (const name of linked) if (!existsSync(join(copy, name))) symlinkSync(join(root, name), join(copy, name))
  if (values.native) {
    mkdirSync(join(copy, 'build'), { recursive: true })
    for (const model of ['small-model', 'compiled-model'])
      if (!existsSync(join(copy, 'build', model))) symlinkSync(join(root, 'build', model), join(copy, 'build', model))
  }
  return copy
}

/**
 * Without a mutation every test should pass. What fails already says nothing when it fails again.
 * @param {string} copy
 * @param {readonly Mutation[]} chosen
 */
async function failingBefore(copy, chosen) {
  const start = performance.now()
  prepare(copy, chosen)
  const { failed, passed, says } = await runTests(copy, [...new Set(chosen.flatMap(({ tests }) => tests))])
  console.log(`without a mutation: ${passed} passed, ${failed.length} failed  ${seconds(start)}`)
  for (const name of failed) console.log(`FAILS ALREADY  ${name}`)
  if (passed === 0) throw new Error(`no test passes without a mutation:\n${says}`)
  return failed
}

/**
 * @param {string} copy
 * @param {Mutation} mutation
 * @param {readonly string[]} failing tests that fail without it
 */
async function isCaught(copy, mutation, failing) {
  const start = performance.now()
  const file = join(copy, mutation.file)
  const source = readFileSync(file, 'utf8')
  writeFileSync(file, applied(mutation, source))
  try {
    prepare(copy, [mutation])
    const { failed, says } = await runTests(copy, mutation.tests, failing.length + 1)
    const by = failed.find(name => !failing.includes(name))
    console.log(
      by === undefined
        ? `NOT CAUGHT  ${mutation.name}  ${seconds(start)}\n${says}`
        : `caught  ${mutation.name}  ${seconds(start)}  ${by.slice(0, 120)}`
    )
    return by !== undefined
  } catch (error) {
    console.log(`NOT BUILT  ${mutation.name}  ${/** @type {Error} */ (error).message}`)
    return false
  } finally {
    writeFileSync(file, source)
    if (mutation.built) prepare(copy, [mutation])
  }
}

/**
 * Builds what the tests of these mutations run beside lib/ itself.
 * @param {string} copy
 * @param {readonly Mutation[]} mutations
 */
function prepare(copy, mutations) {
  const program = [
    mutations.some(({ native }) => native) &&
      "const { buildNative } = await import('./scripts/setup/native.mjs'); const { provideLibtorch } = await import('./scripts/setup/provide.mjs'); buildNative(provideLibtorch(process.env), { tests: true });",
    "const { buildTypescript } = await import('./scripts/setup/typescript.mjs'); buildTypescript()"
  ].filter(Boolean)
  if (!mutations.some(({ native, built }) => native || built) && existsSync(join(copy, 'dist'))) return
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program.join('\n')], {
    cwd: copy,
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(`the copy cannot be built: ${`${stdout}${stderr}`.slice(-2000)}`)
}

/**
 * @param {string} copy
 * @param {readonly string[]} tests files of vitest and of pytest, and `core_tests`
 * @param {number} most stop after so many failures; 0: never
 * @returns {Promise<Outcome>}
 */
async function runTests(copy, tests, most = 0) {
  const of = (/** @type {RegExp} */ name) => tests.filter(file => name.test(file))
  const [vitest, pytest] = [of(/\.test\.m?[jt]s$/), of(/\.py$/)]
  /** @type {Outcome[]} */
  const outcomes = []
  if (of(/^core_tests$/).length > 0) {
    const { code, text } = await run(copy, join(copy, 'build', 'test', 'cpp', 'core_tests'), [])
    outcomes.push({ failed: code === 0 ? [] : ['core_tests'], passed: code === 0 ? 1 : 0, says: text.slice(-2000) })
  }
  if (pytest.length > 0) {
    const { code, text } = await run(copy, venvPython, [
      '-m',
      'pytest',
      '-q',
      '-p',
      'no:cacheprovider',
      ...(most > 0 ? [`--maxfail=${most}`] : []),
      ...pytest
    ])
    // 1: tests failed; anything else above 0 is a mistake of ours.
    outcomes.push({
      failed: code === 1 ? [...text.matchAll(/^FAILED (\S+)/gm)].map(([, name]) => String(name)) : [],
      passed: Number(/(\d+) passed/.exec(text)?.[1] ?? 0),
      says: code === 0 ? '' : text.slice(-2000)
    })
  }
  if (vitest.length > 0) outcomes.push(await runVitest(copy, vitest, most))
  return {
    failed: outcomes.flatMap(({ failed }) => failed),
    passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
    says: outcomes.map(({ says }) => says).join('\n')
  }
}

/** @param {string} copy @param {readonly string[]} files @param {number} most @returns {Promise<Outcome>} */
async function runVitest(copy, files, most) {
  const report = join(copy, '.mutation.json')
  rmSync(report, { force: true })
  const vitest = join(copy, 'node_modules', 'vitest', 'vitest.mjs')
  const options = [
    'run',
    '--reporter=json',
    `--outputFile=${report}`,
    ...(most > 0 ? [`--bail=${most}`, '--testTimeout=30000'] : [])
  ]
  const { text, hung } = await run(copy, process.execPath, [vitest, ...options, ...files], most > 0 ? LIMIT_MS : LONG_LIMIT_MS)
  if (hung) return { failed: ['it hangs'], passed: 0, says: '' }
  if (!existsSync(report)) return { failed: [], passed: 0, says: text.slice(-2000) }
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  /** @type {{ status: string, fullName: string }[]} */
  const all = testResults.flatMap((/** @type {{ assertionResults: [] }} */ file) => file.assertionResults)
  return {
    failed: all.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
    passed: numPassedTests,
    says: text.slice(-2000)
  }
}

/**
 * @param {string} cwd @param {string} file @param {string[]} args
 * @returns {Promise<{ code: number | null, text: string, hung: boolean }>}
 */
function run(cwd, file, args, limitMs = LIMIT_MS) {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what its tests started ends with it.
    const child = spawn(file, args, {
      cwd,
      // The models are the checkout's: a mutation of what makes them must not have them made anew.
      env: { ...process.env, NO_COLOR: '1', WUERSTCHEN_TEST_MODELS: 'keep' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true
    })
    let [text, hung] = ['', false]
    const timer = setTimeout(() => {
      hung = true
      process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL')
    }, limitMs)
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
    child.on('error', reject).on('close', code => {
      clearTimeout(timer)
      resolve({ code, text, hung })
    })
  })
}

/** @param {number} start */
const seconds = start => `${((performance.now() - start) / 1000).toFixed(1)} s`

if (values.help) console.log(help)
else process.exitCode = (await main()) ? 0 : 1
