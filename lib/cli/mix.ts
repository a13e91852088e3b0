import type { Command } from 'commander'
import { Embeddings } from '../index.js'
import { invalid } from '../errors.js'
import { checkEmbeddingsOutput, withEmbeddingsFlags, writeEmbeddingsFile, type EmbeddingsFlags } from './embeddings-output.js'
import { interruptible } from './outcome.js'
import { toNumber, toNumbers } from './flags.js'

interface MixFlags extends EmbeddingsFlags {
  weights?: number[]
  steps?: number
}

export function addMix(program: Command): void {
  const command = program
    .command('mix')
    .description('mix embeddings; decode makes images of the result')
    .argument('<embeddings...>', 'safetensors files that encode, generate --save-embeddings or mix wrote')
    .option('--weights <list>', 'one for each file (default: equal)', toNumbers)
    .option('--steps <n>', 'n embeddings on the way from the first file to the second instead of one mean', toNumber)
    .option('--json', 'print one JSON result')
  withEmbeddingsFlags(command).action(mix)
}

async function mix(files: string[], flags: MixFlags): Promise<void> {
  await checkEmbeddingsOutput(flags)
  if (flags.steps !== undefined && files.length !== 2) throw invalid('--steps', 'two files to go between', files)
  if (flags.steps !== undefined && flags.weights !== undefined) throw invalid('--steps', 'nothing beside --weights', flags.steps)
  const parts: Embeddings[] = []
  try {
    for (const file of files) parts.push(await Embeddings.load(file))
    using result =
      flags.steps === undefined
        ? await Embeddings.mix(parts, flags.weights)
        : await Embeddings.interpolate(parts[0]!, parts[1]!, flags.steps)
    await interruptible(signal => writeEmbeddingsFile(result, flags, signal))
  } finally {
    for (const part of parts) part.dispose()
  }
}
