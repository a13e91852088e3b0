import { DEFAULT_SAMPLER, type Sampler } from '../options/sampling.js'

/** What was done with which input image. Images are identified by their bytes only, because a file name may be private. */
export interface InputFacts {
  /** The call that read the image. */
  operation: 'encode' | 'reconstruct' | 'vary' | 'edit'
  /** SHA-256 of the file's bytes, or of raw pixels. */
  sha256: string
  /** How the image was fitted to width and height. */
  fit: 'cover' | 'fill'
  /** How far the result may be from the image, 0 to 1. Absent where nothing was changed. */
  strength?: number
  /** SHA-256 of the mask's bytes. Absent without a mask. */
  maskSha256?: string
  /** Pixels within the mask over which the new image faded in. */
  feather?: number
}

/** One part of mixed embeddings: its share, and its origin if that is known. */
export interface MixedPart {
  /** Its share. The shares of all parts add up to 1. */
  weight: number
  /** The prompt that it was made from. */
  prompt?: string
  /** The seed that it was made with. */
  seed?: number
  /** SHA-256 of the image that it was encoded from. */
  sha256?: string
}

/**
 * Everything that made one image. It is written into the image's file. With the same model and machine it makes the same image
 * again.
 */
export interface GenerationParameters {
  /** The prior's prompt; empty if there was none. */
  prompt: string
  /** What the prior avoided; empty if there was nothing. */
  negativePrompt: string
  /** Pixels. */
  width: number
  /** Pixels. */
  height: number
  /** Seed of the image's own random stream (torch's CPU generator, drawn in diffusers' order). */
  seed: number
  /** Seed of a fresh stream for the decoder, if `decode` was given one. If absent, the prior's stream continues. */
  decoderSeed?: number
  /** Absent if the prior did not run (the embeddings came from elsewhere). */
  priorTimesteps?: number[]
  /** Absent in files of versions that had one sampler: `ddpm`. */
  priorSampler?: Sampler
  /** The weight of the prior's guidance. Absent if the prior did not run. */
  priorGuidanceScale?: number
  /** Absent if guidance worked at all timesteps. */
  priorGuidanceInterval?: [number, number]
  /** The noise levels of the decoder, descending. Absent if it did not run. */
  decoderTimesteps?: number[]
  /** Absent in files of versions that had one sampler: `ddpm`. */
  decoderSampler?: Sampler
  /** The weight of the decoder's guidance. Absent if the decoder did not run. */
  decoderGuidanceScale?: number
  /** The decoder's prompts, if they differ from the prior's. */
  decoderPrompt?: string
  /** What the decoder avoided, if that differs from what the prior avoided. */
  decoderNegativePrompt?: string
  /** The input image. */
  input?: InputFacts
  /** The parts that its embeddings were mixed from. */
  mixedFrom?: MixedPart[]
  /** The strength with which Stage B changed given latents. */
  decoderStrength?: number
  /** The options that were given as tensors, which a file does not record: `latents`, `promptEmbeds`, … */
  givenTensors?: string[]
  /** The model. */
  model: {
    /** Its name, as its manifest has it. */
    name: string
    /** SHA-256 of its manifest. */
    hash: string
  }
  /** The devices that it was made on, as in `cpu` or `cuda:0,cuda:1`. */
  device: string
  /** The dtypes that the programs computed in, as in `float32`. */
  dtype: string
  /** What made the image. */
  versions: {
    /** The version of this package. */
    wuerstchen: string
    /** The version of LibTorch, as in `2.13.0+cpu`. */
    torch: string
  }
  /** The kind of random stream. */
  rng: 'torch-cpu'
}

/** stable-diffusion-webui's names of the samplers. */
export const WEBUI_SAMPLERS: Readonly<Record<Sampler, string>> = {
  ddpm: 'DDPM Wuerstchen',
  ddim: 'DDIM',
  'dpm-solver++': 'DPM++ 2M'
}

/** Decimal, without a trailing `.0`, as people write guidance scales. */
const text = (value: number | undefined) => (value === undefined ? 'none' : String(value))

/**
 * The `parameters` text that stable-diffusion-webui introduced and other tools read: prompt, negative prompt, then one line of
 * `Name: value` pairs. Parameters for which webui has no name get our own.
 */
export function toWebuiText(parameters: GenerationParameters): string {
  const { width, height, seed, model } = parameters
  const pairs: [string, string][] = [
    ['Steps', text(stepsOf(parameters.priorTimesteps))],
    ['Sampler', WEBUI_SAMPLERS[parameters.priorSampler ?? DEFAULT_SAMPLER]],
    ['CFG scale', text(parameters.priorGuidanceScale)],
    ['Seed', String(seed)],
    ['Size', `${width}x${height}`],
    ['Model hash', model.hash.slice(0, 10)],
    ['Model', quoted(model.name)],
    ['Decoder steps', text(stepsOf(parameters.decoderTimesteps))],
    ['Decoder CFG scale', text(parameters.decoderGuidanceScale)],
    ['Version', `wuerstchen ${parameters.versions.wuerstchen}`]
  ]
  const negative = parameters.negativePrompt === '' ? [] : [`Negative prompt: ${parameters.negativePrompt}`]
  return [parameters.prompt, ...negative, pairs.map(([name, value]) => `${name}: ${value}`).join(', ')].join('\n')
}

/** n noise levels are n - 1 steps. */
function stepsOf(timesteps: readonly number[] | undefined): number | undefined {
  return timesteps === undefined ? undefined : timesteps.length - 1
}

/** Values with a comma, colon or line break are quoted in that format. */
function quoted(value: string): string {
  return /[,:\n]/.test(value) ? JSON.stringify(value) : value
}
