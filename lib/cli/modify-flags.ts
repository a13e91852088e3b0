import { Option, type Command } from 'commander'
import type { FitOptions } from '../image/fit.js'
import type { EditOptions, VaryOptions } from '../plan/image-options.js'
import { defined, toNumber, withDecoderFlags, withModelFlags, withOutputFlags, type ModelFlags } from './flags.js'
import type { OutputFlags } from './write-images.js'

export interface ReconstructFlags extends ModelFlags, OutputFlags, Omit<VaryOptions, 'signal' | 'onStep'> {}

const NAMES = [
  'width',
  'height',
  'fit',
  'n',
  'prompt',
  'negativePrompt',
  'seed',
  'seeds',
  'strength',
  'priorSteps',
  'priorGuidanceScale',
  'decoderSteps',
  'decoderTimesteps',
  'decoderGuidanceScale',
  'feather'
] as const

/** Flags that say what an image is fitted to. */
export function withFitFlags(command: Command): Command {
  return command
    .option('--width <pixels>', "a multiple of 128 (default: nearest to the image, up to the model's size)", toNumber)
    .option('--height <pixels>', 'a multiple of 128', toNumber)
    .addOption(new Option('--fit <kind>', 'cut the rest off, or stretch (default: cover)').choices(['cover', 'fill']))
}

/** Flags of `reconstruct`, `vary` and `edit`. */
export function withImageFlags(command: Command): Command {
  return withOutputFlags(withDecoderFlags(withFitFlags(withModelFlags(command)))).option(
    '-n <n>',
    'pictures of each image (default: 1)',
    toNumber
  )
}

/** Flags of `vary` and `edit`. */
export function withStrengthFlags(command: Command, strength: string): Command {
  return withImageFlags(command)
    .option('--strength <x>', `0 keeps the image, 1 nothing of it (default: ${strength})`, toNumber)
    .option('--prior-steps <n>', 'steps that a strength of 1 takes', toNumber)
    .option('--prior-guidance-scale <x>', 'guidance works above 1', toNumber)
}

export function fitOf({ width, height, fit }: FitOptions): FitOptions {
  return defined({ width, height, fit })
}

/** The API's options among the flags. */
export function imageOptions(
  flags: ReconstructFlags & Partial<Pick<EditOptions, 'feather'>>
): Omit<EditOptions, 'prompt'> & Pick<VaryOptions, 'prompt'> {
  return defined(Object.fromEntries(NAMES.map(name => [name, flags[name]])))
}
