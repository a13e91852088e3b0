import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from './error.mjs'
import { pythonOutput } from '../../lib/install/libtorch.mjs'
import { run, say } from './run.mjs'
import { atLeast, torchRange, torchRelease } from '../../lib/install/version.mjs'
import { requirements, root, venv, venvPython } from './paths.mjs'

/** The oldest version that the pinned packages have wheels for. */
const oldestPython = '3.11'
// Python looks for the modules of -m in the working folder first, where a project may have its own json.py (`pythonOutput`).
const safeEnv = { ...process.env, PYTHONSAFEPATH: '1' }
const pipEnv = { ...safeEnv, PIP_ROOT_USER_ACTION: 'ignore', PIP_DISABLE_PIP_VERSION_CHECK: '1' }

/**
 * The `name==version` lines of a requirements file and of those that it includes with `-r`. Everything that the project installs
 * is pinned, so other lines are refused.
 * @param {string} file
 * @returns {{ name: string, version: string }[]}
 */
export function pins(file) {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map(line => line.replace(/#.*/, '').trim())
    .filter(line => line !== '')
  return lines.flatMap(line => {
    const included = /^-r (.+)$/.exec(line)?.[1]
    if (included) return pins(join(dirname(file), included))
    const [, name, version] = /^([\w.-]+)==([\w.+!]+)$/.exec(line) ?? []
    if (!name || !version) throw new SetupError(`Expected "name==version" in ${file} but found "${line}".`)
    return [{ name, version }]
  })
}

/**
 * The pinned packages that an interpreter lacks or has in another version. A local version such as `+cpu` does not count.
 * @param {string} python
 * @param {string[]} files
 * @returns {string[] | undefined} `name==version`; undefined if the interpreter does not run
 */
export function missingPackages(python, files) {
  const wanted = files.flatMap(pins)
  const program = [
    'import json, sys',
    'from importlib.metadata import version, PackageNotFoundError',
    'def has(name):',
    '    try: return version(name).split("+")[0]',
    '    except PackageNotFoundError: return None',
    'print(json.dumps([has(name) for name in sys.argv[1:]]))'
  ].join('\n')
  const answer = pythonOutput(
    python,
    program,
    wanted.map(({ name }) => name)
  )
  if (answer === undefined) return undefined
  const installed = JSON.parse(answer)
  return wanted.filter(({ version }, index) => installed[index] !== version).map(({ name, version }) => `${name}==${version}`)
}

/**
 * The packages of scripts/requirements.txt that pip has not installed to the end, in whatever version. pip unpacks file by file,
 * and writes the name of the installer last: a set-up that was ended early leaves a LibTorch that is not whole.
 * @param {string} python
 * @returns {{ name: string, state: 'begun' | 'none' }[] | undefined} undefined if its pip does not run
 */
export function unfinished(python) {
  const program = [
    'import json, pip',
    'from importlib.metadata import distribution, PackageNotFoundError',
    'def state(name):',
    '    try: return "done" if distribution(name).read_text("INSTALLER") else "begun"',
    '    except PackageNotFoundError: return "none"',
    'print(json.dumps([state(name) for name in sys.argv[1:]]))'
  ].join('\n')
  const names = pins(requirements).map(({ name }) => name)
  const answer = pythonOutput(python, program, names)
  if (answer === undefined) return undefined
  const states = JSON.parse(answer)
  return names.map((name, index) => ({ name, state: states[index] })).filter(({ state }) => state !== 'done')
}

/**
 * Installs the pinned packages into the set-up's virtual environment. torch is installed first and alone. If it were resolved
 * together with others, pip could choose another torch of several gigabytes.
 * @param {string[]} files requirements files
 */
export function installPackages(files) {
  // Of a package that it has not finished, pip believes that it is there.
  if (unfinished(venvPython)?.every(({ state }) => state === 'none') !== true) createVenv()
  const missing = missingPackages(venvPython, files) ?? []
  if (missing.length === 0) return
  const torch = missing.find(pin => pin.startsWith('torch=='))
  if (torch) pip([torch])
  if (missing.some(pin => pin !== torch)) pip(files.flatMap(file => ['-r', file]))
}

/** @param {string[]} what */
function pip(what) {
  say(`pip install ${what.join(' ').replaceAll(`${root}/`, '')} into ${venv}`)
  run(venvPython, ['-m', 'pip', 'install', '--quiet', ...what], {
    env: pipEnv,
    fixes: [
      'If the network failed: run the same command again, it goes on where it stopped.',
      `If pip finds no torch ${torchRelease} for your Python: install a Python from 3.11 to 3.14 and put it first on PATH.`,
      `To do without pip: unpack a LibTorch ${torchRange} yourself and set WUERSTCHEN_LIBTORCH to its folder.`
    ]
  })
}

function createVenv() {
  const python = hostPython()
  if (!pythonOutput(python, 'import venv, ensurepip; print("yes")')) {
    throw new SetupError(`${python} cannot make virtual environments.`, [
      'Debian, Ubuntu: apt-get install python3-venv',
      `Or set WUERSTCHEN_LIBTORCH to the folder of a LibTorch ${torchRange} that you have.`
    ])
  }
  say(`${existsSync(venv) ? `making ${venv} anew, it is not whole` : `making ${venv}`} with ${python}`)
  run(python, ['-m', 'venv', '--clear', venv], { env: safeEnv })
}

/** The interpreter that makes the virtual environment. */
function hostPython() {
  const seen = []
  for (const python of ['python3', 'python']) {
    const version = pythonOutput(python, 'import platform; print(platform.python_version())')
    if (version && atLeast(version, oldestPython)) return python
    seen.push(`${python}: ${version ?? 'not found'}`)
  }
  throw new SetupError(`Python ${oldestPython} or newer is needed to install LibTorch (${seen.join(', ')}).`, [
    'Debian, Ubuntu: apt-get install python3 python3-venv',
    'Fedora: dnf install python3',
    `Or set WUERSTCHEN_LIBTORCH to the folder of a LibTorch ${torchRange} that you have; then no Python is needed.`
  ])
}
