import { isFloating } from '../dtypes.js'
import { Embeddings, expectEmbeddings } from '../values/embeddings.js'
import { invalid } from '../errors.js'
import type { Manifest } from '../model/manifest.js'
import { expectFunction, expectInteger, optional, withDefault } from '../options/is.js'
import { LARGEST_SEED, MOST_IMAGES, type Scalars } from '../options/sampling.js'
import { expectScalars, optionsOf } from '../options/scalars.js'
import { expectSignal } from '../options/signal.js'
import type { NativePixels } from '../native.js'
import { timestepsFrom } from './strength.js'
import { knownOptions } from '../options/known.js'
import { embeddingChannels, latentChannels } from '../model/channels.js'
import { expectSide, gridOf, latentOf, pixelsOf } from '../model/size.js'
import { expectTensor, Tensor } from '../values/tensor.js'
import { decoderSampling, priorSampling, type Sampling } from './sampling.js'
import { conditioningOf, type Conditioning } from './conditioning.js'
import type { ImageEvent, PreviewEvent, StepEvent } from './options.js'
import { seedsOf } from './seeds.js'
import { mostRandomOffset } from '../values/random-offset.js'

/** A validated call with all defaults applied. */
export interface Plan {
  width: number
  height: number
  gridHeight: number
  gridWidth: number
  conditioning: Conditioning
  imagesPerPrompt: number
  /** One for each image. */
  seeds: number[]
  prior: Sampling | null
  decoder: Sampling | null
  /** Start noise of the first stage that runs. */
  latents: Tensor | undefined
  /** If the prior does not run, the embeddings to decode. If it runs, the embeddings that it starts from. */
  embeddings: Embeddings | undefined
  /** (images, 1, gridHeight, gridWidth): 1 where the prior makes `embeddings` anew, 0 where it keeps them. */
  mask?: Tensor | undefined
  /** Stage A's latents that the decoder starts from. They get the noise of its first timestep. */
  decoderSource?: Tensor | undefined
  decoderStrength?: number | undefined
  /** Changes an image's pixels before the caller gets them. */
  finish?: ((pixels: NativePixels, image: number) => NativePixels) | undefined
  /** Whether the decoder draws from fresh streams, which it does if `decode` was given seeds. */
  freshStreams: boolean
  /** The most previews of each image. None are made if the call has no listener for them. */
  previews: number
  signal: AbortSignal | undefined
  onStep: ((event: StepEvent) => unknown) | undefined
  onPreview: ((event: PreviewEvent) => unknown) | undefined
  onImage: ((event: ImageEvent) => unknown) | undefined
}

/** The plan of `generate` and `prior`, which start from text. */
export function planFromText(call: 'generate' | 'prior', options: unknown, manifest: Manifest): Plan {
  const given = knownOptions(call, options, optionsOf(call))
  const scalars: Scalars<'generate'> = expectScalars(call, given)
  const { constants, defaults } = manifest
  const width = expectSide('width', scalars.width ?? defaults.width, constants)
  const height = expectSide('height', scalars.height ?? defaults.height, constants)
  const [gridHeight, gridWidth] = [gridOf(height, constants), gridOf(width, constants)]
  const conditioning = conditioningOf(given, manifest, 'prior')
  const imagesPerPrompt = scalars.numImagesPerPrompt ?? 1
  const images = conditioning.prompts.length * imagesPerPrompt
  if (images > MOST_IMAGES) throw invalid('numImagesPerPrompt', `at most ${MOST_IMAGES} images in one call`, imagesPerPrompt)
  return {
    width,
    height,
    gridHeight,
    gridWidth,
    conditioning,
    imagesPerPrompt,
    seeds: seedsOf(images, scalars.seed, given.seeds),
    prior: priorSampling(scalars, given, manifest),
    decoder: call === 'prior' ? null : decoderSampling(scalars, given, manifest),
    latents: optional(given.latents, value => expectLatents(value, [images, embeddingChannels(manifest), gridHeight, gridWidth])),
    embeddings: undefined,
    freshStreams: false,
    ...runOptions(given),
    ...previewOptions(scalars, given.onPreview)
  }
}

/** The plan of `decode`, which starts from embeddings. */
export function planFromEmbeddings(value: unknown, options: unknown, manifest: Manifest): Plan {
  const given = knownOptions('decode', options, optionsOf('decode'))
  const scalars = expectScalars('decode', given)
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
  const freshStreams = scalars.seed !== undefined || given.seeds !== undefined || embeddings.seeds.includes(undefined)
  if (!freshStreams) expectOffsets(embeddings, channels * gridHeight * gridWidth)
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
      ? seedsOf(images, scalars.seed, given.seeds)
      : embeddings.seeds.map(seed => expectInteger('seed', seed, 0, LARGEST_SEED)),
    prior: null,
    ...decoderStart(given, scalars, latents, manifest),
    embeddings,
    freshStreams,
    ...runOptions(given),
    previews: 0,
    onPreview: undefined
  }
}

/** Embeddings that were made of a tensor and offsets have not been checked as those of a file have. */
function expectOffsets({ randomOffsets }: Embeddings, elements: number): void {
  const most = mostRandomOffset(elements)
  for (const [index, offset] of randomOffsets.entries()) expectInteger(`embeddings.randomOffsets[${index}]`, offset, 0, most)
}

/** Given latents are the decoder's start noise. With a strength they are an image that gets noise and is drawn again. */
function decoderStart(
  given: { latents?: unknown; decoderTimesteps?: unknown },
  scalars: Scalars<'decode'>,
  shape: readonly number[],
  manifest: Manifest
): Pick<Plan, 'decoder' | 'latents' | 'decoderSource' | 'decoderStrength'> {
  const latents = optional(given.latents, tensor => expectLatents(tensor, shape))
  const decoder = decoderSampling(scalars, given, manifest)
  const { strength } = scalars
  if (strength === undefined) return { decoder, latents }
  if (latents === undefined) throw invalid('latents', 'the latents that strength is about', given.latents)
  if (given.decoderTimesteps !== undefined)
    throw invalid('decoderTimesteps', 'nothing beside strength, which says where they begin,', given.decoderTimesteps)
  // Stage A's latents are scaled to a spread of 1 (scaleFactor).
  const timesteps = timestepsFrom(strength, 1, manifest.constants.scheduler.decoder, decoder.timesteps.length - 1)
  return { decoder: { ...decoder, timesteps }, latents: undefined, decoderSource: latents, decoderStrength: strength }
}

export function runOptions(given: {
  signal?: unknown
  onStep?: unknown
  onImage?: unknown
}): Pick<Plan, 'signal' | 'onStep' | 'onImage'> {
  return {
    signal: optional(given.signal, value => expectSignal('signal', value)),
    onStep: optional(given.onStep, value => expectFunction<(event: StepEvent) => unknown>('onStep', value)),
    onImage: optional(given.onImage, value => expectFunction<(event: ImageEvent) => unknown>('onImage', value))
  }
}

export function previewOptions({ previews }: { previews?: number }, listener: unknown): Pick<Plan, 'previews' | 'onPreview'> {
  const onPreview = optional(listener, value => expectFunction<(event: PreviewEvent) => unknown>('onPreview', value))
  if (onPreview !== undefined && previews === undefined)
    throw invalid('previews', 'how many of each image onPreview is to get', previews)
  return { previews: previews ?? 0, onPreview }
}

function expectLatents(value: unknown, shape: readonly number[]): Tensor {
  const tensor = expectTensor('latents', value)
  if (tensor.shape.join() !== shape.join()) throw invalid('latents.shape', `[${shape.join(', ')}]`, tensor.shape)
  if (!isFloating(tensor.dtype)) throw invalid('latents.dtype', 'a floating dtype', tensor.dtype)
  return tensor
}
