import type { Command } from 'commander'
import { setup } from './setup.js'

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
