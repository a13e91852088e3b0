import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { WuerstchenError } from '../errors.js'
import { venvPython } from '../install/libtorch.mjs'
import { packageRoot } from '../install/root.mjs'
import { runChild } from './child.js'

/**
 * Runs a script of scripts/ with the Python that set-up prepared, else the system's, and passes its output on.
 * @returns its exit code
 */
export async function runPython(script: string, args: readonly string[]): Promise<number> {
  const python = existsSync(venvPython) ? venvPython : 'python3'
  try {
    // With that variable, Python does not find the modules beside the script.
    return await runChild(python, [join(packageRoot, 'scripts', script), ...args], {
      env: { ...process.env, PYTHONSAFEPATH: '' }
    })
  } catch (error) {
    throw new WuerstchenError(
      'INTERNAL',
      `Expected Python 3 for ${script} but ${python} cannot be run: ${(error as Error).message}`,
      { subject: python, cause: error }
    )
  }
}
