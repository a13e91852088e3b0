import type { Command } from 'commander'
import type { EditOptions } from '../index.js'
import { callOptions } from './flags.js'
import { withImageFlags, type ImageFlags } from './image-flags.js'
import { runCommand } from './run.js'

export function addEdit(program: Command): void {
  const command = program
    .command('edit')
    .description('change images to what a prompt says')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files')
    .requiredOption('--prompt <text>', 'what the images are to show')
    .option(
      '--mask <file>',
      "image of the first one's size: white is changed, black is kept; alpha: what is transparent in the images is changed (a file of that name is ./alpha)"
    )
  withImageFlags(command, 'edit').action(edit)
}

async function edit(images: string[], flags: ImageFlags): Promise<void> {
  const options = callOptions<EditOptions>('edit', flags)
  await runCommand(flags, images.length * (flags.n ?? 1), 2, (pipeline, hooks) => pipeline.edit(images, { ...options, ...hooks }))
}
