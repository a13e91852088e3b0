import { createRequire } from 'node:module'
import { existsSync, rmSync } from 'node:fs'
import { availableParallelism, freemem } from 'node:os'
import { dirname, join } from 'node:path'
import { fingerprint, readRecord, writeRecord } from './fingerprint.mjs'
import { run, say } from './run.mjs'
import { checkBuildTools, checkWritable } from './tools.mjs'
import { root } from './paths.mjs'

/** The memory that one compiler process needs for a file that includes LibTorch's headers. */
const bytesPerCompiler = 2 * 2 ** 30

/**
 * Builds the addon (and the C++ tests) with cmake-js, unless the last build was made from the same sources against the same
 * LibTorch. The record beside the addon tells it at run time what it was built against.
 * @param {import('../../lib/install/libtorch.mjs').Libtorch} libtorch
 * @param {{ out?: string }} [options]
 * @returns {boolean} whether there was something to build
 */
export function buildNative(libtorch, { out = join(root, 'build') } = {}) {
  const record = join(out, 'Release', 'wuerstchen.build.json')
  const built = join(out, 'Release', 'wuerstchen.node')
  const { directory, version } = libtorch
  const configuration = fingerprint(
    root,
    [],
    [out, directory, version, installed('cmake-js'), installed('node-addon-api'), installed('node-api-headers')]
  )
  const sources = fingerprint(
    root,
    ['CMakeLists.txt', 'cpp', 'test/cpp'].map(name => join(root, name))
  )
  const before = readRecord(record)
  if (existsSync(built) && before?.configuration === configuration && before.sources === sources) return false

  checkWritable(out)
  checkBuildTools()
  const fresh = before?.configuration !== configuration
  say(`building the addon against LibTorch ${version} in ${directory}`)
  rmSync(record, { force: true })
  // CMake would silently keep a cache of another LibTorch, folder or generator, or refuse it.
  if (fresh) for (const name of ['CMakeCache.txt', 'CMakeFiles']) rmSync(join(out, name), { recursive: true, force: true })
  const cmakeJs = join(dirname(createRequire(join(root, 'package.json')).resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  const common = [
    '--directory',
    root,
    '--out',
    out,
    '--config',
    'Release',
    '--log-level',
    'error',
    `--CDWUERSTCHEN_TORCH=${directory}`,
    `--CDWUERSTCHEN_TESTS=${existsSync(join(root, 'test', 'cpp')) ? 'ON' : 'OFF'}`
  ]
  const fixes = [
    'Read the first error above.',
    'Delete the folder build and try again.',
    'Run "npx wuerstchen doctor" to see what was found.'
  ]
  run(process.execPath, [cmakeJs, 'configure', ...common], { cwd: root, fixes })
  run(process.execPath, [cmakeJs, 'build', ...common, '--parallel', String(compilers())], { cwd: root, fixes })
  writeRecord(record, { configuration, sources, libtorch: { directory, version, cuda: libtorch.cuda } })
  return true
}

/** @param {string} name @returns {string} the installed version of an npm package */
function installed(name) {
  return createRequire(join(root, 'package.json'))(`${name}/package.json`).version
}

/** As many compilers as there are cores, but no more than fit into memory. */
function compilers() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / bytesPerCompiler)))
}
