import type { Command } from 'commander'
import { toNumber } from './flags.js'
import { imageOptions, withStrengthFlags, type ReconstructFlags } from './modify-flags.js'
import { runCommand } from './run.js'

interface EditFlags extends ReconstructFlags {
  prompt: string
  mask?: string
  feather?: number
}

export function addEdit(program: Command): void {
  const command = program
    .command('edit')
    .description('change images to what a prompt says')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files')
    .requiredOption('--prompt <text>', 'what the images are to show')
    .option('--mask <file>', "picture of the image's size: white is changed, black is kept")
    .option('--feather <pixels>', 'pixels within the mask over which the new picture fades in', toNumber)
  withStrengthFlags(command, '0.8, with a mask 1').action(edit)
}

async function edit(images: string[], flags: EditFlags): Promise<void> {
  const options = { ...imageOptions(flags), prompt: flags.prompt, ...(flags.mask === undefined ? {} : { mask: flags.mask }) }
  await runCommand(flags, images.length * (flags.n ?? 1), 2, (pipeline, hooks) => pipeline.edit(images, { ...options, ...hooks }))
}
