import { createRequire } from 'node:module'
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync
} from 'node:fs'
import { availableParallelism, freemem, hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { output } from '../../lib/install/libtorch.mjs'
import { fingerprint, readRecord, replaceFile, writeRecord } from '../../lib/install/fingerprint.mjs'
import { ADDON, BUILD_RECORD, builtAddon, isClone, LOADER, nativeSources, setupFolder } from '../../lib/install/folders.mjs'
import { makeFolder } from '../../lib/install/make-folder.mjs'
import { minorOf } from '../../lib/install/version.mjs'
import { SetupError } from './error.mjs'
import { run, say } from './run.mjs'
import { checkBuildTools } from './tools.mjs'
import { root } from './paths.mjs'

/** The memory that one compiler process needs for a file that includes LibTorch's headers. */
const bytesPerCompiler = 2 * 2 ** 30

/**
 * Builds the addon with CMake, unless the last build was made from the same sources for the same minor version of LibTorch.
 * The addon that is there stays in use until the new one is complete.
 * @param {import('../../lib/install/libtorch.mjs').Libtorch} libtorch
 * @param {{ out?: string, tests?: boolean }} [options] `out` is a build folder of its own; `tests` builds the C++ tests and
 * tools too
 * @returns {boolean} whether there was something to build
 */
export function buildNative(libtorch, { out, tests = false } = {}) {
  const minor = minorOf(libtorch.version)
  // ctest looks for the tests of a clone in build/.
  const kept = out ?? (isClone && (tests || !process.env.WUERSTCHEN_ADDON_DIR) ? join(root, 'build') : undefined)
  const place = kept === undefined ? builtAddon(process.env, minor) : join(kept, 'Release')
  const packages = headerPackages.map(name => readRecord(join(packageFolder(name), 'package.json'))?.version)
  const wanted = {
    configuration: fingerprint(root, [], [minor, process.arch, ...packages]),
    sources: nativeSources(),
    libtorch: { version: libtorch.version },
    // The tests look for LibTorch where it was when they were built.
    tests: tests ? { directory: libtorch.directory, sources: fingerprint(root, [join(root, 'test', 'cpp')]) } : null
  }
  const before = readRecord(join(place, BUILD_RECORD))
  if (isUpToDate(place, before, wanted)) return false

  if (out === undefined) checkWritable(process.env)
  checkBuildTools()
  say(`building the addon for LibTorch ${minor} with the headers in ${libtorch.directory}`)
  // Where nobody builds twice, nothing is left of the 800 MB that a build takes.
  const folder = kept ?? buildFolder(setupFolder(process.env))
  // A signal ends the compilers too, which this process waits for. With a listener it lives on, and deletes their folder.
  const live = () => {}
  process.on('SIGINT', live)
  try {
    compile(folder, libtorch.directory, { tests, fresh: before !== undefined && before.configuration !== wanted.configuration })
    install(join(folder, 'linked'), place, wanted)
  } finally {
    process.off('SIGINT', live)
    if (kept === undefined) rmSync(folder, { recursive: true, force: true })
  }
  return true
}

/**
 * A new folder for a build. Those of builds that were killed are deleted: nothing else would ever do that.
 * @param {string} within
 */
export function buildFolder(within) {
  const here = `building-${hostname()}-`
  for (const name of readdirSync(within)) {
    // Of another machine or container that shares this folder, nothing is known.
    const pid = name.startsWith(here) ? Number.parseInt(name.slice(here.length), 10) : NaN
    if (pid > 0 && !isRunning(pid)) rmSync(join(within, name), { recursive: true, force: true })
  }
  return mkdtempSync(join(within, `${here}${process.pid}-`))
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH'
  }
}

/**
 * @param {string} place
 * @param {Record<string, any> | undefined} before
 * @param {{ configuration: string, sources: string, tests: { directory: string, sources: string } | null }} wanted
 */
function isUpToDate(place, before, { configuration, sources, tests }) {
  if (![ADDON, LOADER].every(name => existsSync(join(place, name)))) return false
  if (before?.configuration !== configuration || before.sources !== sources) return false
  return tests === null || (before.tests?.directory === tests.directory && before.tests.sources === tests.sources)
}

/**
 * @param {string} folder
 * @param {string} libtorch
 * @param {{ tests: boolean, fresh: boolean }} options
 */
function compile(folder, libtorch, { tests, fresh }) {
  // CMake would silently keep a cache of another LibTorch, folder or generator, or refuse it.
  if (fresh || !cacheFits(folder, libtorch))
    for (const name of ['CMakeCache.txt', 'CMakeFiles']) rmSync(join(folder, name), { recursive: true, force: true })
  const variables = [
    ...['CMAKE_BUILD_TYPE=Release', `WUERSTCHEN_TORCH=${libtorch}`, `WUERSTCHEN_NODE_HEADERS=${nodeHeaders().join(';')}`],
    `WUERSTCHEN_TESTS=${tests ? 'ON' : 'OFF'}`
  ]
  const fixes = ['Read the first error above.', 'Run "npx wuerstchen doctor" to see what was found.']
  const configure = ['-S', root, '-B', folder, '-G', generator(), ...variables.map(variable => `-D${variable}`)]
  run('cmake', [...configure, '--log-level=WARNING'], { cwd: root, fixes })
  run('cmake', ['--build', folder, '--parallel', String(compilers())], { cwd: root, fixes })
}

/** @returns {string} */
function generator() {
  return output('ninja', ['--version']) ? 'Ninja' : 'Unix Makefiles'
}

/** The npm packages that have the headers of Node-API. */
const headerPackages = ['node-addon-api', 'node-api-headers']

/** The folders of Node-API's headers, for C++ and for C. */
export function nodeHeaders() {
  return [packageFolder('node-addon-api'), join(packageFolder('node-api-headers'), 'include')]
}

/** @param {string} folder @param {string} libtorch */
function cacheFits(folder, libtorch) {
  const file = join(folder, 'CMakeCache.txt')
  if (!existsSync(file)) return true
  const cache = readFileSync(file, 'utf8').split('\n')
  return [
    `CMAKE_HOME_DIRECTORY:INTERNAL=${root}`,
    `CMAKE_GENERATOR:INTERNAL=${generator()}`,
    `WUERSTCHEN_TORCH:PATH=${libtorch}`
  ].every(line => cache.includes(line))
}

/**
 * Each file takes the old one's place in one step. A process that has the old one keeps it.
 * @param {string} from
 * @param {string} place
 * @param {Record<string, unknown>} record
 */
export function install(from, place, record) {
  makeFolder(place)
  // Ended in between, this leaves no addon of another version of LibTorch than its record says: that would crash.
  if (readRecord(join(place, BUILD_RECORD))?.configuration !== record.configuration)
    rmSync(join(place, BUILD_RECORD), { force: true })
  for (const name of [LOADER, ADDON])
    replaceFile(join(place, name), beside => {
      copyFileSync(join(from, name), beside)
      chmodSync(beside, 0o755)
    })
  writeRecord(join(place, BUILD_RECORD), record)
}

/**
 * Refuses, with an explanation, a folder of the set-up that cannot be written. CMake's words for that do not say it.
 * @param {NodeJS.ProcessEnv} env
 */
export function checkWritable(env) {
  const folder = setupFolder(env)
  try {
    makeFolder(folder)
    for (const place of [folder, join(folder, 'Release')]) if (existsSync(place)) accessSync(place, constants.W_OK)
  } catch (error) {
    throw new SetupError(
      `Expected a folder that can be written for the set-up but ${folder} cannot: ${/** @type {Error} */ (error).message}`,
      [
        isClone
          ? 'Make it writable, or run the set-up as the user to whom it belongs.'
          : 'Set WUERSTCHEN_ADDON_DIR to a folder that can be written, for the set-up and where the package runs.'
      ]
    )
  }
}

/** @param {string} name of an npm package */
function packageFolder(name) {
  return dirname(createRequire(join(root, 'package.json')).resolve(`${name}/package.json`))
}

/** As many compilers as there are cores, but no more than fit into memory. */
function compilers() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / bytesPerCompiler)))
}
