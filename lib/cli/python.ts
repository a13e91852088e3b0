import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { WuerstchenError } from '../errors.js'
import { venvPython } from '../install/libtorch.mjs'
import { packageRoot } from '../install/root.mjs'

/**
 * Runs a script of scripts/ with the Python that set-up prepared, else the system's, and passes its output on.
 * @returns its exit code
 */
export async function runPython(script: string, args: readonly string[]): Promise<number> {
  const python = existsSync(venvPython) ? venvPython : 'python3'
  const child = spawn(python, [join(packageRoot, 'scripts', script), ...args], {
    stdio: 'inherit',
    // With that variable, Python does not find the modules beside the script.
    env: { ...process.env, PYTHONSAFEPATH: '' }
  })
  // A terminal sends Ctrl-C to both processes, `kill` to this one alone: so it is passed on. The script tidies up and this
  // process waits for it, unless it is asked twice.
  let asked = false
  const stop = () => {
    child.kill(asked ? 'SIGKILL' : 'SIGINT')
    asked = true
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return signal === 'SIGINT' || (signal !== null && asked) ? 130 : (status ?? 1)
  } catch (error) {
    throw new WuerstchenError(
      'INTERNAL',
      `Expected Python 3 for ${script} but ${python} cannot be run: ${(error as Error).message}`,
      { subject: python, cause: error }
    )
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
