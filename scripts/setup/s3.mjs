import { join } from 'node:path'
import { SetupError } from './error.mjs'
import { root } from './paths.mjs'
import { say } from './run.mjs'
import { provideVenv, pythonOf, venvIsThere } from './venv.mjs'

const folder = join(root, 'build', 's3-venv')
const requirements = join(root, 'test', 's3', 'requirements.txt')

/** The interpreter that runs test/s3/server.py. */
export const s3Python = pythonOf(folder)

/**
 * Installs the server that speaks S3. Where it cannot be had, its tests are left out by name.
 * @param {string} python the interpreter that makes its environment
 */
export function provideS3(python) {
  try {
    provideVenv(python, folder, requirements)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(`the server of test/s3 is not there: ${error.message}`)
  }
}

/** @returns {boolean} whether it is installed */
export function s3IsThere() {
  return venvIsThere(folder, requirements)
}
