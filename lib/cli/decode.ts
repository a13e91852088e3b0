import type { Command } from 'commander'
import { Embeddings, type DecodeOptions } from '../index.js'
import { callOptions, plannedImages, withModelFlags, withOutputFlags, withSamplingFlags, type ModelFlags } from './flags.js'
import { runCommand } from './run.js'
import type { OutputFlags } from './write-images.js'

interface DecodeFlags extends ModelFlags, OutputFlags, Omit<DecodeOptions, 'signal' | 'onStep'> {}

export function addDecode(program: Command): void {
  const command = program
    .command('decode')
    .description('make images from embeddings')
    .argument('<embeddings>', 'safetensors file that encode, mix or generate --save-embeddings wrote')
    .option('--prompt <text>', 'what the decoder is told (default: what the prior was told)')
  withOutputFlags(withSamplingFlags(withModelFlags(command), 'decode')).action(decode)
}

async function decode(file: string, flags: DecodeFlags): Promise<void> {
  using embeddings = await Embeddings.load(file)
  const options = callOptions<DecodeOptions>('decode', flags)
  const prompts = embeddings.origins.map(({ prompt }) => flags.prompt?.toString() ?? prompt)
  // Without seeds, the decoder goes on in each embedding's own stream.
  const seeded = (options.seed ?? options.seeds) !== undefined
  const own = embeddings.seeds.map((seed, index) => ({ seed, prompt: prompts[index] }))
  const planned = seeded ? plannedImages(prompts, 1, options) : own
  await runCommand(flags, { planned, stages: 1 }, (pipeline, hooks) => pipeline.decode(embeddings, { ...options, ...hooks }))
}
