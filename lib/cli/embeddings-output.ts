import type { Command } from 'commander'
import { invalid } from '../errors.js'
import type { Embeddings } from '../index.js'

export interface EmbeddingsFlags {
  output: string
  half?: boolean
  json?: boolean
  quiet?: boolean
}

/** Flags of commands that write embeddings. */
export function withEmbeddingsFlags(command: Command): Command {
  return command
    .option('-o, --output <file>', 'safetensors file to write', 'embeddings.safetensors')
    .option('--half', 'store float16: half the size, as good to the eye')
}

/** Refuses a wrong name before any work is done. */
export function checkEmbeddingsOutput({ output }: EmbeddingsFlags): void {
  if (!output.endsWith('.safetensors')) throw invalid('--output', 'a name ending in .safetensors', output)
}

/** Writes the embeddings and says where. */
export async function writeEmbeddingsFile(embeddings: Embeddings, flags: EmbeddingsFlags): Promise<void> {
  await embeddings.toFile(flags.output, { dtype: flags.half === true ? 'float16' : 'float32' })
  const {
    tensor: { shape },
    origins,
    space
  } = embeddings
  process.stdout.write(
    flags.json === true ? `${JSON.stringify({ file: flags.output, shape, space, origins })}\n` : `${flags.output}\n`
  )
}
