import { join } from 'node:path'
import type { Command } from 'commander'
import { packageRoot } from '../install/root.mjs'
import { runChild } from './child.js'

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('fetch LibTorch and build the addon (--help for its flags)')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[flags...]', 'passed on')
    // It runs in its own process, because it replaces files that this process may have loaded.
    .action(async (flags: string[]) => {
      const script = join(packageRoot, 'scripts', 'setup.mjs')
      process.exitCode = await runChild(process.execPath, [script, ...flags], { group: true })
    })
}
