import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../install/root.mjs'

/**
 * `wuerstchen setup`: the set-up of this package, wherever npm put it. A process of its own, because it replaces files that
 * this one may have loaded.
 * @param args passed on, such as `--help`
 * @returns the exit code
 */
export function setup(args: readonly string[]): number {
  const { status, signal } = spawnSync(process.execPath, [join(packageRoot, 'scripts', 'setup.mjs'), ...args], {
    stdio: 'inherit'
  })
  return signal === 'SIGINT' ? 130 : (status ?? 1)
}
