import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isClone, isThere, recordedLibtorch, setupFolder } from './folders.mjs'
import { packageRoot } from './root.mjs'
import { isSupported } from './version.mjs'

/**
 * @typedef {object} Libtorch
 * @property {string} directory the folder with `include/` and `lib/`
 * @property {string} version such as `2.13.0`
 * @property {string} source where it was found, for people
 * @property {boolean} cuda whether it has the CUDA libraries
 * @property {string | null} python the interpreter it belongs to
 *
 * @typedef {object} Place
 * @property {string} source
 * @property {boolean} required set by the user: it is used or refused, but never skipped
 * @property {string | null} python
 * @property {() => string | undefined} directory
 */

/** The virtual environment that set-up makes where it installs LibTorch. In a clone the exporter and the tests use it too. */
export const venv = isClone ? join(packageRoot, '.venv') : join(setupFolder(process.env), 'venv')
export const venvPython = join(venv, 'bin', 'python')

/**
 * Where a LibTorch says its version: the header that the addon is compiled with, the Python package, the zip.
 * @type {[file: string, version: RegExp][]}
 */
const versionFiles = [
  [join('include', 'torch', 'headeronly', 'version.h'), /_MAJOR\s+(\d+)[^]*_MINOR\s+(\d+)[^]*_PATCH\s+(\d+)/],
  ['version.py', /__version__ = '(\d+)\.(\d+)\.(\d+)/],
  ['build-version', /^(\d+)\.(\d+)\.(\d+)/]
]

/**
 * The version of the LibTorch in a folder, such as `2.13.0`.
 * @param {string} directory
 * @returns {string | undefined} undefined if there is no LibTorch
 */
export function versionIn(directory) {
  if (!isThere(join(directory, 'lib', 'libtorch_cpu.so'))) return undefined
  for (const [file, pattern] of versionFiles) {
    const found = pattern.exec(readOr(join(directory, file), ''))
    if (found) return found.slice(1, 4).join('.')
  }
  return undefined
}

/** @param {string} file @param {string} otherwise */
function readOr(file, otherwise) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}

/**
 * What a program prints on stdout, trimmed; undefined if the program is missing, fails or may not be run (Node's permission
 * model).
 * @param {string} file
 * @param {string[]} args
 * @returns {string | undefined}
 */
export function output(file, args) {
  try {
    const { status, stdout } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return status === 0 ? stdout.trim() : undefined
  } catch {
    return undefined
  }
}

/**
 * What a program in Python prints. Python looks for the modules of such a program in the working folder first, so it would take
 * a project's own json.py or torch.py for the real one, and run it.
 * @param {string} python
 * @param {string} program
 * @param {string[]} [args]
 */
export function pythonOutput(python, program, args = []) {
  return output(python, ['-c', `import sys\nsys.path[:] = filter(None, sys.path)\n${program}`, ...args])
}

/** @param {string} directory */
export function hasCuda(directory) {
  return isThere(join(directory, 'lib', 'libtorch_cuda.so'))
}

/**
 * The folder of an interpreter's torch package. It is found without importing torch, which would take seconds.
 * @param {string} python
 */
function torchOfPython(python) {
  const locate = 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'
  return pythonOutput(python, locate) || undefined
}

/**
 * The places where LibTorch is looked for, in order.
 * @param {NodeJS.ProcessEnv} env
 * @param {ReturnType<typeof recordedLibtorch>} recorded what the last set-up used
 * @returns {Place[]}
 */
export function places(env, recorded = recordedLibtorch(env)) {
  const variables = ['WUERSTCHEN_LIBTORCH', 'LIBTORCH']
    .filter(name => env[name])
    .map(name => ({
      source: `the variable ${name}`,
      required: true,
      python: null,
      directory: () => resolve(/** @type {string} */ (env[name]))
    }))
  const active = env.VIRTUAL_ENV ? [join(env.VIRTUAL_ENV, 'bin', 'python')] : []
  const pythons = [...active, 'python3', 'python', venvPython].map(python => ({
    source: `the torch package of ${python}`,
    required: false,
    python,
    directory: () => torchOfPython(python)
  }))
  const last = recorded && {
    source: 'the last set-up',
    required: false,
    python: recorded.python,
    directory: () => recorded.directory
  }
  return [...variables, ...(last === undefined ? [] : [last]), ...pythons]
}

/**
 * The first LibTorch that fits, and what was tried before. A place that the user named is never skipped: if it does not fit,
 * `refused` says why.
 * @param {Place[]} among
 * @param {(version: string) => boolean} fits
 * @returns {{ found: Libtorch | undefined, tried: string[], refused: string | undefined }}
 */
export function findLibtorch(among, fits = isSupported) {
  const tried = []
  for (const place of among) {
    const directory = place.directory()
    const found = directory && versionIn(directory)
    if (directory && found && fits(found)) {
      const { source, python } = place
      return { found: { directory, version: found, source, cuda: hasCuda(directory), python }, tried, refused: undefined }
    }
    const what = !directory ? 'none' : found ? `LibTorch ${found} in ${directory}` : `no LibTorch in ${directory}`
    tried.push(`${place.source}: ${what}`)
    if (place.required) return { found: undefined, tried, refused: `${place.source} names ${what}` }
  }
  return { found: undefined, tried, refused: undefined }
}
