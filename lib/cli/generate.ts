import type { Command } from 'commander'
import { invalid, WuerstchenError } from '../errors.js'
import { readParameters, type GenerateOptions, type GenerationParameters } from '../index.js'
import { readImageFile } from '../internal.js'
import { callOptions, withModelFlags, withOutputFlags, withSamplingFlags, type ModelFlags } from './flags.js'
import { optionsFromImage, splitCall } from './from-image.js'
import { runCommand } from './run.js'
import type { OutputFlags } from './write-images.js'

interface GenerateFlags extends ModelFlags, OutputFlags, Omit<GenerateOptions, 'prompt' | 'signal' | 'onStep'> {
  fromImage?: string
  saveEmbeddings?: string
}

export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description('make images from prompts')
    .argument('[prompts...]', 'what to draw; quote each prompt')
    .option('--from-image <file>', 'make the image in this file again; other flags change it')
    .option('--save-embeddings <file>', "also write the prior's embeddings, for decode (safetensors)")
  withOutputFlags(withSamplingFlags(withModelFlags(command), 'generate')).action(generate)
}

async function generate(prompts: string[], flags: GenerateFlags): Promise<void> {
  const found = flags.fromImage === undefined ? undefined : await parametersOf(flags.fromImage)
  const chosen = callOptions<GenerateOptions>('generate', flags)
  const options = {
    ...(found && optionsFromImage(found, chosen)),
    ...chosen,
    ...(prompts.length === 0 ? {} : { prompt: prompts })
  }
  if (options.prompt === undefined) throw invalid('prompt', 'at least one prompt, or --from-image', undefined)
  const images = (Array.isArray(options.prompt) ? options.prompt.length : 1) * (options.numImagesPerPrompt ?? 1)
  await runCommand({ ...flags, ...sameDtype(found, flags) }, images, 2, async (pipeline, hooks) => {
    if (found !== undefined) warnAboutModel(found, pipeline.model.hash, flags)
    if (flags.saveEmbeddings === undefined && !decodesApart(found)) return pipeline.generate({ ...options, ...hooks })
    const [prior, decode] = splitCall(options, found)
    using embeddings = await pipeline.prior({ ...prior, ...hooks })
    if (flags.saveEmbeddings !== undefined) await embeddings.toFile(flags.saveEmbeddings)
    return await pipeline.decode(embeddings, { ...decode, ...hooks })
  })
}

async function parametersOf(file: string): Promise<GenerationParameters> {
  const { parameters } = await readParameters(await readImageFile('--from-image', file))
  if (parameters === undefined)
    throw new WuerstchenError('INVALID_ARGUMENT', `Expected generation parameters in ${file} but it has none`, { subject: file })
  return parameters
}

/** Whether the image was decoded with other texts or streams than the prior's. */
function decodesApart(parameters: GenerationParameters | undefined): boolean {
  return (
    parameters !== undefined &&
    [parameters.decoderSeed, parameters.decoderPrompt, parameters.decoderNegativePrompt].some(value => value !== undefined)
  )
}

/** Another dtype would draw other noise, and therefore make another image. */
function sameDtype(parameters: GenerationParameters | undefined, { dtype }: ModelFlags): { dtype?: string } {
  return parameters === undefined || dtype !== undefined || parameters.dtype.includes(',') ? {} : { dtype: parameters.dtype }
}

function warnAboutModel({ model }: GenerationParameters, hash: string, { quiet }: ModelFlags): void {
  if (model.hash === hash || quiet === true) return
  console.error(
    `The image was made with the model ${model.name} (${model.hash.slice(0, 10)}); this one is another (${hash.slice(0, 10)}), and will give another image`
  )
}
