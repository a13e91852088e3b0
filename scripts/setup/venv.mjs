import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { missingPackages } from './python.mjs'
import { root } from './paths.mjs'
import { run, say } from './run.mjs'

/** @param {string} folder of an environment */
export const pythonOf = folder => join(folder, 'bin', 'python')

/** @param {string} folder @param {string} requirements @returns {boolean} whether all that a file pins is installed there */
export function venvIsThere(folder, requirements) {
  const own = pythonOf(folder)
  return existsSync(own) && missingPackages(own, [requirements])?.length === 0
}

/**
 * An environment of its own for packages that must not affect the exporter's.
 * @param {string} python the interpreter that makes it
 * @param {string} folder
 * @param {string} requirements the file that pins its packages
 */
export function provideVenv(python, folder, requirements) {
  if (venvIsThere(folder, requirements)) return
  say(`pip install -r ${relative(root, requirements)} into ${relative(root, folder)}`)
  execFileSync(python, ['-m', 'venv', '--clear', folder])
  run(pythonOf(folder), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements])
}
