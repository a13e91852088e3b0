import { isFloating } from '../dtypes.js'
import { Embeddings, expectEmbeddings } from '../values/embeddings.js'
import { invalid } from '../errors.js'
import type { Manifest } from '../model/manifest.js'
import { expectFunction, expectInteger, expectNumber, expectSignal, optional, withDefault } from '../options/is.js'
import type { NativePixels } from '../native.js'
import { timestepsFrom } from './strength.js'
import { knownOptions } from '../options/known.js'
import { embeddingChannels, latentChannels } from '../model/channels.js'
import { expectSide, gridOf, latentOf, pixelsOf } from '../model/size.js'
import { expectTensor, Tensor } from '../values/tensor.js'
import { MOST_STEPS, timestepsOf, uniformTimesteps } from './timesteps.js'
import { conditioningOf, type Conditioning } from './conditioning.js'
import type { PreviewEvent, StepEvent } from './options.js'
import { LARGEST_SEED, seedsOf } from './seeds.js'

export const MOST_IMAGES = 4096
/** Beyond this the result is noise; it keeps half-precision arithmetic finite. */
export const LARGEST_GUIDANCE = 1000

const RUN = ['signal', 'onStep'] as const
const SHARED = ['prompt', 'negativePrompt', 'seed', 'seeds', 'latents', 'promptEmbeds', 'negativePromptEmbeds', ...RUN] as const
const PRIOR = [...SHARED, 'width', 'height', 'numImagesPerPrompt', 'priorSteps', 'priorTimesteps', 'priorGuidanceScale'] as const
export const PREVIEWS = ['previews', 'onPreview'] as const
const DECODER = ['decoderSteps', 'decoderTimesteps', 'decoderGuidanceScale'] as const

const GENERATE = [...PRIOR, ...DECODER, ...PREVIEWS] as const

/** One stage's sampling: noise levels and guidance scale. */
export interface Sampling {
  timesteps: Float64Array
  guidanceScale: number
}

/** A call, validated, with every default applied. */
export interface Plan {
  width: number
  height: number
  gridHeight: number
  gridWidth: number
  conditioning: Conditioning
  imagesPerPrompt: number
  /** One an image. */
  seeds: number[]
  prior: Sampling | null
  decoder: Sampling | null
  /** Start noise of the first stage that runs. */
  latents: Tensor | undefined
  /** What to decode where the prior does not run; where it does, what it starts from. */
  embeddings: Embeddings | undefined
  /** (images, 1, gridHeight, gridWidth): 1 where the prior makes `embeddings` anew, 0 where it keeps them. */
  mask?: Tensor | undefined
  /** Stage A's latents that the decoder starts from, with noise of its first timestep. */
  decoderSource?: Tensor | undefined
  decoderStrength?: number | undefined
  /** What becomes of an image's pixels before anybody sees them. */
  finish?: ((pixels: NativePixels, image: number) => NativePixels) | undefined
  /** Whether the decoder gets streams of its own, as it does where `decode` was given seeds. */
  freshStreams: boolean
  /** Previews of each image at most; none where nobody hears of them. */
  previews: number
  signal: AbortSignal | undefined
  onStep: ((event: StepEvent) => void) | undefined
  onPreview: ((event: PreviewEvent) => void) | undefined
}

/** `generate` and `prior`: everything from text. */
export function planFromText(call: 'generate' | 'prior', options: unknown, manifest: Manifest): Plan {
  const given = knownOptions<(typeof GENERATE)[number]>(call, options, call === 'prior' ? PRIOR : GENERATE)
  const { constants, defaults } = manifest
  const width = expectSide('width', withDefault(given.width, defaults.width), constants)
  const height = expectSide('height', withDefault(given.height, defaults.height), constants)
  const [gridHeight, gridWidth] = [gridOf(height, constants), gridOf(width, constants)]
  const conditioning = conditioningOf(given, manifest, 'prior')
  const imagesPerPrompt =
    optional(given.numImagesPerPrompt, value => expectInteger('numImagesPerPrompt', value, 1, MOST_IMAGES)) ?? 1
  const images = conditioning.prompts.length * imagesPerPrompt
  if (images > MOST_IMAGES) throw invalid('numImagesPerPrompt', `at most ${MOST_IMAGES} images in one call`, imagesPerPrompt)
  return {
    width,
    height,
    gridHeight,
    gridWidth,
    conditioning,
    imagesPerPrompt,
    seeds: seedsOf(images, given.seed, given.seeds),
    prior: {
      timesteps: timestepsOf('prior', given.priorTimesteps, given.priorSteps, () => Float64Array.from(defaults.priorTimesteps)),
      guidanceScale: expectGuidance('priorGuidanceScale', withDefault(given.priorGuidanceScale, defaults.priorGuidanceScale))
    },
    decoder: call === 'prior' ? null : decoderSampling(given, manifest),
    latents: optional(given.latents, value => expectLatents(value, [images, embeddingChannels(manifest), gridHeight, gridWidth])),
    embeddings: undefined,
    freshStreams: false,
    ...runOptions(given),
    ...previewOptions(given)
  }
}

/** `decode`: the second half, for embeddings that exist. */
export function planFromEmbeddings(value: unknown, options: unknown, manifest: Manifest): Plan {
  const given = knownOptions('decode', options, [...SHARED, ...DECODER, 'strength'])
  const embeddings = expectEmbeddings('embeddings', Tensor.is(value) ? Embeddings.from(value) : value)
  const { constants } = manifest
  const [images, channels, gridHeight, gridWidth] = embeddings.tensor.shape as [number, number, number, number]
  if (channels !== embeddingChannels(manifest))
    throw invalid('embeddings.shape', `[images, ${embeddingChannels(manifest)}, gridHeight, gridWidth]`, embeddings.tensor.shape)
  const [height, width] = [pixelsOf(gridHeight, constants), pixelsOf(gridWidth, constants)]
  if (height === undefined || width === undefined)
    throw invalid('embeddings.shape', 'a grid of a size this model can decode', embeddings.tensor.shape)
  const latents = [images, latentChannels(manifest), latentOf(gridHeight, constants), latentOf(gridWidth, constants)]
  const told = (key: 'prompt' | 'negativePrompt') => embeddings.origins.map(origin => origin[key] ?? '')
  const freshStreams = given.seed !== undefined || given.seeds !== undefined || embeddings.seeds.includes(undefined)
  return {
    width,
    height,
    gridHeight,
    gridWidth,
    imagesPerPrompt: 1,
    conditioning: conditioningOf(
      {
        ...given,
        prompt: withDefault(given.prompt, given.promptEmbeds === undefined ? told('prompt') : undefined),
        negativePrompt: withDefault(given.negativePrompt, told('negativePrompt'))
      },
      manifest,
      'decoder',
      images
    ),
    seeds: freshStreams
      ? seedsOf(images, given.seed, given.seeds)
      : embeddings.seeds.map(seed => expectInteger('seed', seed, 0, LARGEST_SEED)),
    prior: null,
    ...decoderStart(given, latents, manifest),
    embeddings,
    freshStreams,
    ...runOptions(given),
    ...previewOptions({})
  }
}

export function decoderSampling(given: Partial<Record<(typeof DECODER)[number], unknown>>, { defaults }: Manifest): Sampling {
  return {
    timesteps: timestepsOf('decoder', given.decoderTimesteps, given.decoderSteps, () => uniformTimesteps(defaults.decoderSteps)),
    guidanceScale: expectGuidance('decoderGuidanceScale', withDefault(given.decoderGuidanceScale, defaults.decoderGuidanceScale))
  }
}

/** Given latents are the decoder's start noise; with a strength they are a picture, to be noised and drawn again that far. */
function decoderStart(
  given: {
    latents?: unknown
    strength?: unknown
    decoderTimesteps?: unknown
    decoderSteps?: unknown
    decoderGuidanceScale?: unknown
  },
  shape: readonly number[],
  manifest: Manifest
): Pick<Plan, 'decoder' | 'latents' | 'decoderSource' | 'decoderStrength'> {
  const latents = optional(given.latents, tensor => expectLatents(tensor, shape))
  const decoder = decoderSampling(given, manifest)
  if (given.strength === undefined) return { decoder, latents }
  const strength = expectNumber('strength', given.strength, 0, 1)
  if (latents === undefined) throw invalid('latents', 'the latents that strength is about', given.latents)
  if (given.decoderTimesteps !== undefined)
    throw invalid('decoderTimesteps', 'nothing beside strength, which says where they begin,', given.decoderTimesteps)
  // Stage A's latents are scaled to a spread of 1 (scaleFactor).
  const timesteps = timestepsFrom(strength, 1, manifest.constants.scheduler.decoder, decoder.timesteps.length - 1)
  return { decoder: { ...decoder, timesteps }, latents: undefined, decoderSource: latents, decoderStrength: strength }
}

export function expectGuidance(name: string, value: unknown): number {
  return expectNumber(name, value, 0, LARGEST_GUIDANCE)
}

export function runOptions(given: Partial<Record<(typeof RUN)[number], unknown>>): Pick<Plan, 'signal' | 'onStep'> {
  return {
    signal: optional(given.signal, value => expectSignal('signal', value)),
    onStep: optional(given.onStep, value => expectFunction<(event: StepEvent) => void>('onStep', value))
  }
}

export function previewOptions(given: Partial<Record<(typeof PREVIEWS)[number], unknown>>): Pick<Plan, 'previews' | 'onPreview'> {
  const onPreview = optional(given.onPreview, value => expectFunction<(event: PreviewEvent) => void>('onPreview', value))
  if (onPreview !== undefined && given.previews === undefined)
    throw invalid('previews', 'how many of each image onPreview is to get', given.previews)
  return { previews: optional(given.previews, value => expectInteger('previews', value, 0, MOST_STEPS)) ?? 0, onPreview }
}

function expectLatents(value: unknown, shape: readonly number[]): Tensor {
  const tensor = expectTensor('latents', value)
  if (tensor.shape.join() !== shape.join()) throw invalid('latents.shape', `[${shape.join(', ')}]`, tensor.shape)
  if (!isFloating(tensor.dtype)) throw invalid('latents.dtype', 'a floating dtype', tensor.dtype)
  return tensor
}
