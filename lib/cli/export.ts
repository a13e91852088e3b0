import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { WuerstchenError } from '../errors.js'
import { packageRoot } from '../install/root.mjs'

export function addExport(program: Command): void {
  program
    .command('export')
    .description('make a model directory from a checkpoint, or --compile one (needs Python with torch; --help for its flags)')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[flags...]', 'passed on to scripts/export.py')
    .action(async (flags: string[]) => {
      process.exitCode = await runExport(flags)
    })
}

/** Runs scripts/export.py with the Python that set-up prepared, else the system's; returns its exit code. */
async function runExport(flags: readonly string[]): Promise<number> {
  const prepared = join(packageRoot, '.venv', 'bin', 'python')
  const python = existsSync(prepared) ? prepared : 'python3'
  const child = spawn(python, [join(packageRoot, 'scripts', 'export.py'), ...flags], { stdio: 'inherit' })
  // The terminal sends Ctrl-C to both processes. The exporter cleans up, and this process waits for it.
  const wait = () => {}
  process.on('SIGINT', wait)
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return signal === 'SIGINT' ? 130 : (status ?? 1)
  } catch (error) {
    throw new WuerstchenError(
      'INTERNAL',
      `Expected Python 3 for export but ${python} cannot be run: ${(error as Error).message}`,
      { subject: python, cause: error }
    )
  } finally {
    process.off('SIGINT', wait)
  }
}
