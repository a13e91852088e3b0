import type { Command } from 'commander'
import type { ReconstructOptions } from '../index.js'
import { callOptions, plannedImages, withSeed } from './flags.js'
import { promptOf, withImageFlags, type ImageFlags } from './image-flags.js'
import { runCommand } from './run.js'

export function addReconstruct(program: Command): void {
  const command = program
    .command('reconstruct')
    .description('encode images and decode them again: what the embeddings keep')
    .argument('<images...>', 'PNG, JPEG, WebP or AVIF files')
    .option('--prompt <text>', 'what the decoder is told')
  withImageFlags(command, 'reconstruct').action(reconstruct)
}

async function reconstruct(images: string[], flags: ImageFlags): Promise<void> {
  const options = withSeed(callOptions<ReconstructOptions>('reconstruct', flags))
  const planned = plannedImages(
    images.map(() => promptOf(flags)),
    flags.n ?? 1,
    options
  )
  await runCommand(flags, { planned, stages: 1 }, (pipeline, hooks) => pipeline.reconstruct(images, { ...options, ...hooks }))
}
