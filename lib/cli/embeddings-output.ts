import type { Command } from 'commander'
import { invalid } from '../errors.js'
import type { Embeddings } from '../index.js'
import { withClobberFlag } from './flags.js'
import { checkOutputs, isStdout, isStream, save, type ClobberFlag } from './outputs.js'

export interface EmbeddingsFlags extends ClobberFlag {
  output: string
  half?: boolean
  json?: boolean
  quiet?: boolean
}

/** Flags of commands that write embeddings. */
export function withEmbeddingsFlags(command: Command): Command {
  return withClobberFlag(command)
    .option('-o, --output <file>', 'safetensors file to write, or - for stdout', 'embeddings.safetensors')
    .option('--half', 'store float16: half the size, as good to the eye')
}

/** Refuses what cannot be written before any work is done. */
export async function checkEmbeddingsOutput(flags: EmbeddingsFlags): Promise<void> {
  const { output, json } = flags
  if (!output.endsWith('.safetensors') && !(await isStream(output)))
    throw invalid('--output', 'a name ending in .safetensors, or - for stdout,', output)
  if (json === true && (await isStdout(output)))
    throw invalid('--json', 'no --output - beside it, for both write to stdout,', json)
  await checkOutputs([{ flag: '--output', files: [output] }], flags)
}

/** Writes the embeddings and says where. */
export async function writeEmbeddingsFile(embeddings: Embeddings, flags: EmbeddingsFlags, signal: AbortSignal): Promise<void> {
  const data = await embeddings.toBuffer({ dtype: flags.half === true ? 'float16' : 'float32' })
  const saved = await save(flags.output, data, flags, signal)
  const {
    tensor: { shape },
    origins,
    space
  } = embeddings
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ ...saved, shape, space, origins })}\n`)
  else if (saved.file !== null && !(await isStdout(saved.file))) process.stdout.write(`${saved.file}\n`)
}
