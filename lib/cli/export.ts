import type { Command } from 'commander'
import { runPython } from './python.js'

export function addExport(program: Command): void {
  program
    .command('export')
    .description('make a model directory from a checkpoint, or --compile one (needs Python with torch; --help for its flags)')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[flags...]', 'passed on to scripts/export.py')
    .action(async (flags: string[]) => {
      process.exitCode = await runPython('export.py', flags)
    })
}
