import type { Command } from 'commander'
import { doctor, type DoctorOptions } from './doctor.js'

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('say what this machine has, and what is missing')
    .option('--model <dir>', 'model directory (default: WUERSTCHEN_MODEL, else the packaged model)')
    .option('--json', 'print one JSON result')
    .action(async (options: DoctorOptions) => {
      process.exitCode = await doctor(options)
    })
}
