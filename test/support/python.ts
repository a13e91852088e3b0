import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './small-model.js'

/** Runs the Python that the tests' models were made with, in scripts/, and gives what it printed. */
export async function runPython(args: readonly string[]): Promise<string> {
  const python = process.env['WUERSTCHEN_TEST_PYTHON']
  if (python === undefined) throw new Error('Expected WUERSTCHEN_TEST_PYTHON, which test/support/global-setup.mjs sets')
  const { stdout } = await promisify(execFile)(python, ['-W', 'ignore', ...args], { cwd: join(root, 'scripts') })
  return stdout
}
