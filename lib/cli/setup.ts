import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import type { Command } from 'commander'
import { packageRoot } from '../install/root.mjs'

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('fetch LibTorch and build the addon (--help for its flags)')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[flags...]', 'passed on')
    .action((flags: string[]) => {
      process.exitCode = setup(flags)
    })
}

/**
 * `wuerstchen setup`: the set-up of this package, wherever npm has put it. It runs in its own process, because it replaces files
 * that this process may have loaded.
 * @param args passed on, such as `--help`
 * @returns the exit code
 */
function setup(args: readonly string[]): number {
  const { status, signal } = spawnSync(process.execPath, [join(packageRoot, 'scripts', 'setup.mjs'), ...args], {
    stdio: 'inherit'
  })
  return signal === 'SIGINT' ? 130 : (status ?? 1)
}
