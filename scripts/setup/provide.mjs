import { SetupError } from './error.mjs'
import { findLibtorch, places } from '../../lib/install/libtorch.mjs'
import { installPackages, missingPackages, unfinished } from './python.mjs'
import { requirements, testRequirements, venv, venvPython } from './paths.mjs'
import { say } from './run.mjs'
import { torchRange, torchRelease } from '../../lib/install/version.mjs'

/**
 * A LibTorch of a supported version: one that is found, else one that is installed into the set-up's virtual environment.
 * @param {NodeJS.ProcessEnv} env
 * @returns {import('../../lib/install/libtorch.mjs').Libtorch}
 */
export function provideLibtorch(env) {
  const { found, tried, refused } = findLibtorch(places(env))
  if (found && (found.python !== venvPython || unfinished(venvPython)?.length === 0)) return found
  if (refused) {
    throw new SetupError(`Expected a LibTorch ${torchRange}, but ${refused}.`, [
      `Name a folder that has lib/ of LibTorch ${torchRange}; of a Python torch it is the folder of the package itself.`,
      `Unset the variable: then torch ${torchRelease} is installed into ${venv}.`
    ])
  }
  for (const place of tried) say(`LibTorch: ${place}`)
  say(
    `LibTorch: installing torch ${torchRelease} with pip into ${venv}; some hundred megabytes are downloaded (set WUERSTCHEN_LIBTORCH to opt out)`
  )
  installPackages([requirements])
  const installed = findLibtorch(places({}).slice(-1)).found
  if (!installed) throw new SetupError(`pip installed no LibTorch ${torchRange} into ${venv}.`, [`Delete ${venv} and try again.`])
  return installed
}

/**
 * The interpreter for the export and its tests: the one that LibTorch belongs to if it has all packages, else that of `.venv`. No
 * other environment is ever changed.
 * @param {import('../../lib/install/libtorch.mjs').Libtorch} libtorch
 */
export function providePython({ python }) {
  const files = [testRequirements]
  for (const candidate of new Set([python, venvPython])) {
    if (candidate && missingPackages(candidate, files)?.length === 0) return candidate
  }
  installPackages(files)
  return venvPython
}
