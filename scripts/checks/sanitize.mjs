#!/usr/bin/env node
/**
 * The native side under sanitizers, built in folders of their own: `node scripts/checks/sanitize.mjs --address | --thread |
 * --memcheck`. It ends with 1 for a report, a leak with our frames, or a test that fails.
 * - `--address`, in build/asan: AddressSanitizer, UndefinedBehaviorSanitizer and float-cast-overflow. The C++ suites, then the
 *   addon in Node with the tests named by `--tests`, `--calls` hostile calls, and `--soak` calls of every kind, after which
 *   LeakSanitizer looks for what nothing refers to. V8 and Node keep what they have; only what our code made counts.
 * - `--thread`, in build/tsan: ThreadSanitizer. The suites of threads; LibTorch is not instrumented (test/cpp/tsan.supp).
 * - `--memcheck`, in build/memcheck: valgrind on the suites that end under it, with what our code lost.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeRecord } from '../../lib/install/fingerprint.mjs'
import { BUILD_RECORD } from '../../lib/install/folders.mjs'
import { nodeHeaders } from '../setup/native.mjs'
import { provideLibtorch } from '../setup/provide.mjs'
import { root } from '../setup/paths.mjs'

const { values } = parseArgs({
  options: {
    address: { type: 'boolean' },
    thread: { type: 'boolean' },
    memcheck: { type: 'boolean' },
    suites: { type: 'string' },
    tests: {
      type: 'string',
      default: 'test/lifecycle/process.test.ts,test/lifecycle/cancel.test.ts,test/integrity/embeddings.test.ts'
    },
    calls: { type: 'string', default: '2000' },
    soak: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '2' }
  }
})

const SUITES =
  'contract coverage denoise engine error imageEncoder packing preview program proof random request schedule threads turns worker'.split(
    ' '
  )
/** What needs no network, or only a few steps of one. */
const SUITES_OF_MEMCHECK = ['contract', 'coverage', 'error', 'request', 'schedule', 'worker']
let failed = 0

/**
 * @param {string} name
 * @param {string} file
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, limitMs?: number }} [options]
 */
function check(name, file, args, { env, cwd = root, limitMs } = {}) {
  const start = performance.now()
  const { status, signal, stdout, stderr } = spawnSync(file, args, {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: limitMs
  })
  const ok = status === 0
  if (!ok) failed++
  const text = `${stdout}${stderr}`.trim()
  const summary = text.split('\n').findLast(line => /passed|Tests|should be/.test(line)) ?? ''
  console.log(
    `${ok ? 'ok    ' : 'FAILS '} ${name}  ${((performance.now() - start) / 1000).toFixed(0)} s  ${signal ?? ''} ${summary.trim()}`
  )
  if (!ok) console.log(text.slice(-6000))
}

/** @param {string} name @param {string} file @param {string[]} args */
function build(name, file, args) {
  const { status } = spawnSync('nice', ['-n', '10', file, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`${name} cannot be built`)
}

/** The C++ tests alone, by CMake. @param {string} folder @param {string} sanitizers */
function buildTests(folder, sanitizers) {
  const { directory } = provideLibtorch(process.env)
  const options = [`-DWUERSTCHEN_TORCH=${directory}`, '-DWUERSTCHEN_TESTS=ON', `-DWUERSTCHEN_SANITIZE=${sanitizers}`]
  build(folder, 'cmake', ['-S', root, '-B', folder, ...options])
  build(folder, 'cmake', ['--build', folder, '--target', 'core_tests', '--parallel', values.jobs])
}

/** The C++ tests and the addon. @param {string} folder */
function buildAddon(folder) {
  const { directory, version } = provideLibtorch(process.env)
  const options = [
    ...[`-DWUERSTCHEN_TORCH=${directory}`, `-DWUERSTCHEN_NODE_HEADERS=${nodeHeaders().join(';')}`],
    ...['-DWUERSTCHEN_TESTS=ON', '-DWUERSTCHEN_SANITIZE=address,undefined']
  ]
  build(folder, 'cmake', ['-S', root, '-B', folder, ...options])
  build(folder, 'cmake', ['--build', folder, '--parallel', values.jobs])
  writeRecord(join(folder, 'linked', BUILD_RECORD), { libtorch: { version } })
}

/** A copy of the package that finds the sanitized addon where an addon is looked for. @param {string} asan @returns {string} */
function packageWith(asan) {
  const copy = join(root, 'build', 'asan-package')
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(join(copy, 'build'), { recursive: true })
  for (const name of [
    'lib',
    'dist',
    'test',
    'scripts',
    'package.json',
    'vitest.config.ts',
    'tsconfig.json',
    'tsconfig.build.json'
  ])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  for (const name of ['node_modules', '.venv', 'models', 'docs', 'examples', 'bench'])
    if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name))
  // Not linked: tests copy them, and a copy of a link is a link.
  for (const name of ['small-model', 'compiled-model'])
    cpSync(join(root, 'build', name), join(copy, 'build', name), { recursive: true })
  symlinkSync(join(asan, 'linked'), join(copy, 'build', 'Release'))
  return copy
}

/** @param {string} name */
const libraryOf = name => spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()

/** What the sanitizers wrote, whoever has ended how. @param {string} folder @param {string} prefix */
function checkReports(folder, prefix) {
  // A refused allocation is a warning, which the addon answers with OUT_OF_MEMORY.
  const reports = readdirSync(folder).filter(
    name => name.startsWith(prefix) && /ERROR:|runtime error|SUMMARY:/.test(readFileSync(join(folder, name), 'utf8'))
  )
  console.log(`${reports.length} reports`)
  if (reports.length > 0) failed++
  for (const name of reports.slice(0, 5)) console.log(readFileSync(join(folder, name), 'utf8').slice(0, 3000))
}

/** @param {string} folder @param {string} prefix */
const removeReports = (folder, prefix) => {
  for (const name of readdirSync(folder).filter(each => each.startsWith(prefix))) rmSync(join(folder, name))
}

/** The blocks of a report that are about lost memory and have a frame of ours. @param {string} text @param {RegExp} lost */
const leaksOf = (text, lost) =>
  text.split(/\n(?:==\d+== )?\s*\n/).filter(block => lost.test(block) && block.includes('wuerstchen::'))

/** @param {string} name @param {string[]} leaks */
function checkLeaks(name, leaks) {
  console.log(`${leaks.length === 0 ? 'ok    ' : 'FAILS '} ${name}: ${leaks.length} leaks`)
  if (leaks.length > 0) failed++
  for (const leak of leaks.slice(0, 5)) console.log(leak)
}

/** @param {string} cwd @param {string} folder @param {NodeJS.ProcessEnv} env */
function leaksInNode(cwd, folder, env) {
  const log = join(folder, 'leaks')
  removeReports(folder, 'leaks')
  const script = join(cwd, 'scripts', 'checks', 'soak.mjs')
  const args = ['--expose-gc', script, '--count', values.soak, '--to', join(folder, 'soak.jsonl')]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env, ASAN_OPTIONS: `detect_leaks=1:exitcode=0:allocator_may_return_null=1:log_path=${log}` },
    encoding: 'utf8'
  })
  // Its bounds on memory are not for a sanitizer, which keeps what is freed for a while. This line says that it has ended.
  if (!/after the pipeline/.test(stdout)) throw new Error(`the soak did not end: ${stderr}`)
  const reports = readdirSync(folder).filter(name => name.startsWith('leaks'))
  // Node itself loses something; without any report, LeakSanitizer did not look.
  if (reports.length === 0) throw new Error('LeakSanitizer wrote nothing')
  const text = reports.map(name => readFileSync(join(folder, name), 'utf8')).join('\n\n')
  // What Node keeps for a handle is freed where V8 collects the handle, and not at the end of the process.
  const leaks = leaksOf(text, /leak of \d+ byte/).filter(leak => !/#1 .* in napi_create_external /.test(leak))
  checkLeaks('the addon after a soak', leaks)
}

function address() {
  const folder = join(root, 'build', 'asan')
  buildAddon(folder)
  removeReports(folder, 'report')
  const report = join(folder, 'report')
  // LibTorch asks for what nobody has, to see whether it is there; a null pointer is an answer.
  const common = `allocator_may_return_null=1:log_path=${report}`
  const env = {
    ASAN_OPTIONS: `detect_leaks=1:${common}`,
    LSAN_OPTIONS: `suppressions=${join(root, 'test', 'cpp', 'lsan.supp')}:print_suppressions=0`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${report}`
  }
  for (const suite of values.suites?.split(',') ?? SUITES)
    check(`core_tests ${suite}`, join(folder, 'test', 'cpp', 'core_tests'), [suite], { env })
  const cwd = packageWith(folder)
  const inNode = {
    ...env,
    // Node keeps what it has until it ends. libstdc++ comes along, or the sanitizer sees no exception.
    ASAN_OPTIONS: `detect_leaks=0:${common}`,
    LD_PRELOAD: `${libraryOf('libasan.so')} ${libraryOf('libstdc++.so.6')}`,
    WUERSTCHEN_TEST_MODELS: 'keep'
  }
  if (values.tests !== '') {
    const vitest = join(cwd, 'node_modules', 'vitest', 'vitest.mjs')
    check('vitest', process.execPath, [vitest, 'run', '--testTimeout=600000', ...values.tests.split(',')], { env: inNode, cwd })
  }
  if (values.calls !== '0') {
    const script = join(cwd, 'scripts', 'checks', 'hostile-calls.mjs')
    check('hostile calls', process.execPath, [script, '--count', values.calls, '--limit', '120000'], { env: inNode, cwd })
  }
  if (values.soak !== '0') leaksInNode(cwd, folder, inNode)
  checkReports(folder, 'report')
}

function thread() {
  const folder = join(root, 'build', 'tsan')
  buildTests(folder, 'thread')
  const env = {
    TSAN_OPTIONS: `suppressions=${join(root, 'test', 'cpp', 'tsan.supp')}:ignore_noninstrumented_modules=1:allocator_may_return_null=1:halt_on_error=0:exitcode=66`,
    OMP_NUM_THREADS: '1'
  }
  for (const suite of values.suites?.split(',') ?? ['threads', 'worker', 'turns', 'engine'])
    check(`core_tests ${suite}`, join(folder, 'test', 'cpp', 'core_tests'), [suite], { env })
}

function memcheck() {
  const folder = join(root, 'build', 'memcheck')
  buildTests(folder, '')
  for (const suite of values.suites?.split(',') ?? SUITES_OF_MEMCHECK) {
    const program = join(folder, 'test', 'cpp', 'core_tests')
    const log = join(folder, `${suite}.log`)
    const leaks = ['--leak-check=full', '--show-leak-kinds=definite', '--errors-for-leak-kinds=none', `--log-file=${log}`]
    const options = ['--error-exitcode=9', ...leaks, '--undef-value-errors=no', program, suite]
    check(`memcheck ${suite}`, 'valgrind', options, { limitMs: 1_800_000 })
    checkLeaks(`memcheck ${suite}`, leaksOf(readFileSync(log, 'utf8'), /definitely lost in/))
  }
}

if (!(values.address || values.thread || values.memcheck)) throw new Error('Expected --address, --thread or --memcheck')
if (values.address) address()
if (values.thread) thread()
if (values.memcheck) memcheck()
console.log(`${failed} fail`)
process.exitCode = failed === 0 ? 0 : 1
