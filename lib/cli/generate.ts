import type { Command } from 'commander'
import { WuerstchenError } from '../errors.js'
import { readParameters, type GenerateOptions, type GenerationParameters } from '../index.js'
import { readImageFile } from '../internal.js'
import {
  callOptions,
  plannedImages,
  withModelFlags,
  withOutputFlags,
  withSamplingFlags,
  withSeed,
  type ModelFlags
} from './flags.js'
import { optionsFromImage, splitCall } from './from-image.js'
import { save } from './outputs.js'
import { promptsOf, withPromptsFlag, withoutTwice, type Prompts } from './prompts.js'
import { runCommand } from './run.js'
import type { OutputFlags } from './write-images.js'

interface GenerateFlags extends ModelFlags, OutputFlags, Omit<GenerateOptions, 'prompt' | 'signal' | 'onStep'> {
  fromImage?: string
  prompts?: string
  saveEmbeddings?: string
}

export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description('make images from prompts')
    .argument('[prompts...]', 'what to draw; quote each prompt; - reads them from stdin, one a line')
    .option('--from-image <file>', 'make the image in this file again; other flags change it')
    .option('--save-embeddings <file>', "also write the prior's embeddings, for decode (safetensors)")
  withOutputFlags(withSamplingFlags(withModelFlags(withPromptsFlag(command)), 'generate')).action(generate)
}

async function generate(args: string[], flags: GenerateFlags): Promise<void> {
  const { saveEmbeddings } = flags
  const prompts = await promptsOf(args, flags.prompts)
  const found = flags.fromImage === undefined ? undefined : await parametersOf(flags.fromImage)
  const options = optionsOf(prompts, found, flags)
  const planned = plannedImages([options.prompt].flat() as string[], options.numImagesPerPrompt ?? 1, options)
  const others = saveEmbeddings === undefined ? [] : [{ flag: '--save-embeddings', files: [saveEmbeddings] }]
  await runCommand({ ...flags, ...sameDtype(found, flags) }, { planned, stages: 2, others }, async (pipeline, hooks) => {
    if (found !== undefined) warnAboutModel(found, pipeline.model.hash, flags)
    if (saveEmbeddings === undefined && !decodesApart(found)) return pipeline.generate({ ...options, ...hooks })
    const [prior, decode] = splitCall(options, found)
    using embeddings = await pipeline.prior({ ...prior, ...hooks })
    if (saveEmbeddings !== undefined) await save(saveEmbeddings, await embeddings.toBuffer(), flags, hooks.signal)
    return await pipeline.decode(embeddings, { ...decode, ...hooks })
  })
}

function optionsOf(
  prompts: Prompts | undefined,
  found: GenerationParameters | undefined,
  flags: GenerateFlags
): GenerateOptions & { prompt: string | readonly string[] } {
  const chosen = callOptions<GenerateOptions>('generate', flags)
  const perLine = prompts && withoutTwice(prompts, chosen, chosen.numImagesPerPrompt ?? 1)
  const { prompt, ...options } = { ...(found && optionsFromImage(found, { ...chosen, ...perLine })), ...chosen, ...perLine }
  if (prompt === undefined)
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected at least one prompt, --prompts or --from-image but there is none', {
      subject: 'prompt'
    })
  return withSeed({ ...options, prompt })
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
