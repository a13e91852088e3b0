import type { Command } from 'commander'
import type { VaryOptions } from '../index.js'
import { callOptions, plannedImages, withSeed } from './flags.js'
import { promptOf, withImageFlags, type ImageFlags } from './image-flags.js'
import { runCommand } from './run.js'

export function addVary(program: Command): void {
  const command = program
    .command('vary')
    .description('make new images near images')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files')
    .option('--prompt <text>', 'what the images show; without it there is no guidance')
  withImageFlags(command, 'vary').action(vary)
}

async function vary(images: string[], flags: ImageFlags): Promise<void> {
  const options = withSeed(callOptions<VaryOptions>('vary', flags))
  const planned = plannedImages(
    images.map(() => promptOf(flags)),
    flags.n ?? 1,
    options
  )
  await runCommand(flags, { planned, stages: 2 }, (pipeline, hooks) => pipeline.vary(images, { ...options, ...hooks }))
}
