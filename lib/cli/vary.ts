import type { Command } from 'commander'
import { imageOptions, withStrengthFlags, type ReconstructFlags } from './modify-flags.js'
import { runCommand } from './run.js'

export function addVary(program: Command): void {
  const command = program
    .command('vary')
    .description('make new pictures near images')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files')
    .option('--prompt <text>', 'what the images show; without it there is no guidance')
  withStrengthFlags(command, '0.5').action(vary)
}

async function vary(images: string[], flags: ReconstructFlags): Promise<void> {
  const options = imageOptions(flags)
  await runCommand(flags, images.length * (flags.n ?? 1), 2, (pipeline, hooks) => pipeline.vary(images, { ...options, ...hooks }))
}
