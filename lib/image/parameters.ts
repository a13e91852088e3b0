/** What was done with which picture. Pictures are named by their bytes alone: where they came from is nobody's business. */
export interface InputFacts {
  operation: 'encode' | 'reconstruct' | 'vary' | 'edit'
  /** SHA-256 of the file's bytes, or of raw pixels. */
  sha256: string
  /** How it was fitted to width and height. */
  fit: 'cover' | 'fill'
  strength?: number
  maskSha256?: string
  feather?: number
}

/** One part of mixed embeddings: its share, and what it came from as far as that is known. */
export interface MixedPart {
  weight: number
  prompt?: string
  seed?: number
  sha256?: string
}

/** Everything that made one image, written into its file; with the same model and machine it makes the same image again. */
export interface GenerationParameters {
  prompt: string
  negativePrompt: string
  width: number
  height: number
  /** Seed of the image's own random stream (torch's CPU generator, drawn in diffusers' order). */
  seed: number
  /** Seed of a fresh stream for the decoder, where `decode` was given one; absent: the prior's stream goes on. */
  decoderSeed?: number
  /** Absent where the prior did not run (embeddings from elsewhere). */
  priorTimesteps?: number[]
  priorGuidanceScale?: number
  decoderTimesteps?: number[]
  decoderGuidanceScale?: number
  /** What the decoder was told, where that differs from the prior's prompts. */
  decoderPrompt?: string
  decoderNegativePrompt?: string
  /** The picture it was made from. */
  input?: InputFacts
  /** What its embeddings were mixed from. */
  mixedFrom?: MixedPart[]
  /** How far Stage B went from given latents. */
  decoderStrength?: number
  /** What was given as tensors and therefore cannot be remade from text: `latents`, `promptEmbeds`, … */
  givenTensors?: string[]
  model: { name: string; hash: string }
  /** Where it ran and in which dtype, per stage. */
  device: string
  dtype: string
  versions: { wuerstchen: string; torch: string }
  /** The kind of random stream. */
  rng: 'torch-cpu'
}

/** Decimal, without a trailing `.0`: how people write guidance scales. */
const text = (value: number | undefined) => (value === undefined ? 'none' : String(value))

/**
 * The `parameters` text that stable-diffusion-webui started and other tools read: prompt, negative prompt, then one line
 * of `Name: value` pairs. Pairs it has no name for get ours.
 */
export function toWebuiText(parameters: GenerationParameters): string {
  const { width, height, seed, model } = parameters
  const pairs: [string, string][] = [
    ['Steps', text(stepsOf(parameters.priorTimesteps))],
    ['Sampler', 'DDPM Wuerstchen'],
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
