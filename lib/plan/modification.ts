import { Embeddings } from '../values/embeddings.js'
import { invalid } from '../errors.js'
import type { CapturedImage } from '../image/input.js'
import type { InputFacts } from '../image/parameters.js'
import type { Manifest } from '../model/manifest.js'
import { withDefault } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { DEFAULT_STRENGTH, MOST_IMAGES, type Call, type Scalars } from '../options/sampling.js'
import { expectScalars, optionsOf } from '../options/scalars.js'
import { conditioningOf, type Conditioning } from './conditioning.js'
import { previewOptions, runOptions, type Plan } from './plan.js'
import { decoderSampling, priorSamplingFrom, type Sampling } from './sampling.js'
import { seedsOf } from './seeds.js'
import { gridOf } from '../model/size.js'
import { Tensor } from '../values/tensor.js'
import { captureImages, type Sources } from '../image/sources.js'
import { fitOptions, fitPixels, type FitOptions } from '../image/fit.js'
import { captureMasks, readMasks, type CapturedMask, type FittedMask } from '../image/masks.js'
import { composite, gridMask } from '../image/mask.js'

export type ModifyCall = Extract<Call, 'reconstruct' | 'vary' | 'edit'>

/** A validated call on real images. What depends on the images themselves is set after they have been read. */
export interface Modification
  extends Pick<Plan, 'conditioning' | 'seeds' | 'decoder' | 'previews' | 'signal' | 'onStep' | 'onPreview' | 'onImage'> {
  call: ModifyCall
  images: CapturedImage[]
  masks: CapturedMask[]
  /** Undefined: 1/64 of the shorter side. */
  feather: number | undefined
  fit: FitOptions
  perImage: number
  strength: number
  prior: Sampling | null
}

/** Checks everything that can be refused before an image is read. */
export function modificationOf(call: ModifyCall, input: unknown, options: unknown, manifest: Manifest): Modification {
  const given = knownOptions(call, options, optionsOf(call))
  const scalars: Scalars<'edit'> = expectScalars(call, given)
  const images = captureImages('image', input)
  const perImage = scalars.n ?? 1
  if (images.length * perImage > MOST_IMAGES) throw invalid('n', `at most ${MOST_IMAGES} images in one call`, scalars.n)
  if (call === 'edit' && given.prompt === undefined) throw invalid('prompt', 'what the image is to show', given.prompt)
  const masks = given.mask === undefined ? [] : captureMasks('mask', given.mask)
  if (masks.length > 1 && masks.length !== images.length)
    throw invalid('mask', `one mask or ${images.length}, as many as there are images,`, given.mask)
  if (masks.length === 0 && scalars.feather !== undefined) throw invalid('feather', 'nothing without a mask', scalars.feather)
  const strength = scalars.strength ?? DEFAULT_STRENGTH[masks.length > 0 ? 'editWithMask' : call]
  return {
    call,
    images,
    masks,
    perImage,
    strength,
    feather: scalars.feather,
    fit: fitOptions(scalars, manifest),
    conditioning: conditioningOf(
      { prompt: withDefault(given.prompt, ''), negativePrompt: given.negativePrompt },
      manifest,
      'prior',
      images.length
    ),
    seeds: seedsOf(images.length * perImage, scalars.seed, given.seeds),
    prior: call === 'reconstruct' ? null : priorSamplingFrom(strength, scalars, given, given.prompt !== undefined, manifest),
    decoder: decoderSampling(scalars, given, manifest),
    ...runOptions(given),
    ...previewOptions(scalars, given.onPreview)
  }
}

/**
 * The plan of a modification, after its images have been read and encoded. The caller owns the tensors that it passed and `mask`.
 */
export async function planFromImages(
  modification: Modification,
  sources: Sources,
  encoded: Tensor,
  manifest: Manifest
): Promise<Plan> {
  const { conditioning, seeds, prior, decoder, perImage, previews, signal, onStep, onPreview, onImage } = modification
  const { width, height } = sources.target
  const [gridHeight, gridWidth] = [gridOf(height, manifest.constants), gridOf(width, manifest.constants)]
  const masks = await readMasks(modification.masks, modification.feather, sources, signal)
  const facts = inputFacts(modification, sources, masks)
  const finish = await compositor(masks, sources, perImage)
  const origins = seeds.map((_, index) => ({ input: facts[Math.floor(index / perImage)]! }))
  return {
    width,
    height,
    gridHeight,
    gridWidth,
    conditioning: conditioning satisfies Conditioning,
    imagesPerPrompt: perImage,
    seeds,
    prior,
    decoder,
    latents: undefined,
    embeddings: new Embeddings(
      encoded,
      seeds.map(() => 0),
      origins
    ),
    freshStreams: true,
    mask: prior === null || masks.length === 0 ? undefined : gridMasks(masks, perImage, { width, height, gridWidth, gridHeight }),
    finish,
    previews,
    signal,
    onStep,
    onPreview,
    onImage
  }
}

function inputFacts({ call, strength }: Modification, { images, target }: Sources, masks: readonly FittedMask[]): InputFacts[] {
  return images.map(({ sha256 }, index) => ({
    operation: call,
    sha256,
    fit: target.fit,
    ...(call === 'reconstruct' ? {} : { strength }),
    ...(masks.length === 0 ? {} : { maskSha256: masks[index]!.sha256, feather: masks[index]!.feather })
  }))
}

function gridMasks(
  masks: readonly FittedMask[],
  perImage: number,
  { width, height, gridWidth, gridHeight }: Record<'width' | 'height' | 'gridWidth' | 'gridHeight', number>
): Tensor {
  const size = gridWidth * gridHeight
  const all = new Float32Array(masks.length * perImage * size)
  masks.forEach(({ data }, index) => {
    const cells = gridMask(data, width, height, gridWidth, gridHeight)
    for (let k = 0; k < perImage; k++) all.set(cells, (index * perImage + k) * size)
  })
  return Tensor.from(all, [masks.length * perImage, 1, gridHeight, gridWidth])
}

/** Restores the original's pixels where the mask keeps them. */
async function compositor(masks: readonly FittedMask[], { images, target }: Sources, perImage: number): Promise<Plan['finish']> {
  if (masks.length === 0) return undefined
  const kept = await Promise.all(images.map(({ pixels }) => fitPixels(pixels, target)))
  return (pixels, index) => {
    const image = Math.floor(index / perImage)
    return composite(kept[image]!, pixels, masks[image]!.blend)
  }
}
