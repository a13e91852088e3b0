import { InvalidArgumentError, Option, type Command } from 'commander'
import type { PipelineOptions } from '../index.js'
import { FORMAT_NAMES, LOSSY_FORMATS } from '../internal.js'
import type { Call } from '../options/sampling.js'
import { defined } from '../options/known.js'
import { optionsOf, rowOf, scalarsIn, textFor } from '../options/scalars.js'
import { drawSeed, settledSeed } from '../options/seed.js'
import type { Planned } from './output-names.js'

/** Flags have the API's names in kebab-case; lists are comma separated. */

export function toNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It is not a number.')
  return value
}

export function toNumbers(text: string): number[] {
  return text.split(',').map(toNumber)
}

/** Flags of every command that loads a model. */
export function withModelFlags(command: Command): Command {
  return withPipelineFlags(
    command.option('--model <dir>', 'model directory (default: WUERSTCHEN_MODEL, else the packaged model)')
  )
    .option('--json', 'print one JSON result')
    .option('--quiet', 'print neither progress nor warnings')
}

/** Flags that say how a model is loaded. */
export function withPipelineFlags(command: Command): Command {
  return command
    .option('--device <device>', 'auto, cpu, cuda, cuda:1, a list, or prior=cuda:0,decoder=cuda:1')
    .option('--dtype <dtype>', 'float32, float16 or bfloat16')
    .option('--threads <n>', 'threads within an operation', toNumber)
    .addOption(new Option('--residency <kind>', 'all stages in memory, or one at a time').choices(['all', 'sequential']))
    .option('--max-batch <n>', 'most images in one batch', toNumber)
    .option('--no-verify', "do not check the model files' hashes")
}

/** The sampling options that are lists and have flags. */
const LISTS = {
  seeds: 'one seed an image',
  priorTimesteps: 'descending noise levels from 1 to 0',
  priorGuidanceInterval: 'two timesteps between which guidance works, as 0.2,0.9 (default: 0,1)',
  decoderTimesteps: 'descending noise levels from 1 to 0'
} as const

/** An option's name as a flag. */
export const kebab = (name: string) => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

/** The sampling flags of a call: a flag for each of its scalars in the table, and for its lists. */
export function withSamplingFlags(command: Command, call: Call): Command {
  for (const name of scalarsIn(call)) {
    const { flag, check } = rowOf(name)
    const text = textFor(flag?.text, call)
    if (flag === null || text === undefined) continue
    const option = new Option(`${flag.short ?? `--${kebab(name)}`} ${flag.value}`, text)
    command.addOption(check.kind === 'choice' ? option.choices([...check.values]) : option.argParser(toNumber))
  }
  const known = optionsOf(call)
  for (const [name, text] of Object.entries(LISTS))
    if (known.includes(name)) command.option(`--${kebab(name)} <list>`, text, toNumbers)
  if (known.includes('negativePrompt')) command.option('--negative-prompt <text>', 'what to avoid')
  return command
}

/** A call's options among the flags of a command. A seed of -1 is any seed, as in other programs. */
export function callOptions<Options>(call: Call, flags: object): Options {
  const names = optionsOf(call)
  const { seed, seeds, ...rest } = Object.fromEntries(Object.entries(flags).filter(([name]) => names.includes(name))) as {
    seed?: number
    seeds?: number[]
  }
  return defined({
    ...rest,
    seed: seed === undefined ? undefined : settledSeed(seed),
    seeds: seeds?.map(settledSeed)
  }) as Options
}

/** What callers give of seeds. */
interface Seeds {
  seed?: number
  seeds?: readonly number[]
}

/** Draws the seed that a call would draw, so that file names are known before the work. */
export function withSeed<Options extends Seeds>(options: Options): Options {
  return options.seed === undefined && options.seeds === undefined ? { ...options, seed: drawSeed() } : options
}

/** The images of a call: `perPrompt` of each prompt, with the seeds that they will have. */
export function plannedImages(prompts: readonly (string | undefined)[], perPrompt: number, { seed, seeds }: Seeds): Planned[] {
  const images = prompts.flatMap(prompt => new Array<string | undefined>(perPrompt).fill(prompt))
  return images.map((prompt, index) => ({ prompt, seed: seeds?.[index] ?? (seed === undefined ? undefined : seed + index) }))
}

/** Flag of commands that write files. */
export function withClobberFlag(command: Command): Command {
  return command.option('--no-clobber', 'overwrite no file: fail if it is there')
}

/** Flags that say where images are written. */
export function withOutputFlags(command: Command): Command {
  return withClobberFlag(command)
    .option(
      '-o, --output <file>',
      'file to write, or - for stdout; {index}, {seed} and {prompt} are replaced, and several images get numbers (default: wuerstchen-{seed}.png)'
    )
    .addOption(new Option('--format <format>', 'file format (default: from the file name)').choices(FORMAT_NAMES))
    .option('--quality <n>', `1-100, for ${LOSSY_FORMATS.join(' and ')}`, toNumber)
    .option('--no-metadata', 'leave the generation parameters out of the files')
}

export interface PipelineFlags {
  device?: string
  dtype?: string
  threads?: number
  residency?: 'all' | 'sequential'
  maxBatch?: number
  verify: boolean
}

export interface ModelFlags extends PipelineFlags {
  model?: string
  json?: boolean
  quiet?: boolean
}

export function pipelineOptions({ device, dtype, threads, residency, maxBatch, verify }: PipelineFlags): PipelineOptions {
  return defined({
    device: device === undefined ? undefined : toDevice(device),
    dtype: dtype as PipelineOptions['dtype'],
    threads,
    residency,
    maxBatch,
    verify
  })
}

/** `prior=cuda:0,decoder=cuda:1` places the halves on separate devices. Everything else has the form of the API. */
function toDevice(text: string): PipelineOptions['device'] {
  if (!text.includes('=')) return text
  return Object.fromEntries(text.split(',').map(part => part.split('=', 2))) as { prior: string; decoder: string }
}
