import { isFloating } from '../dtypes.js'
import { Embeddings } from '../values/embeddings.js'
import { invalid } from '../errors.js'
import type { RgbImage } from '../image/input.js'
import { latentChannels } from '../model/channels.js'
import { isOwnMask } from '../image/masks.js'
import { captureImages, readSources } from '../image/sources.js'
import { loadAddon } from '../load/addon.js'
import { nativeCall } from '../load/native-call.js'
import { optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { expectScalars, optionsOf } from '../options/scalars.js'
import { expectSignal } from '../options/signal.js'
import { expectFinite } from '../values/finite.js'
import type { GenerateResult } from './results.js'
import type { Plan } from '../plan/plan.js'
import type { Resources } from './run.js'
import { sideOf } from '../model/size.js'
import { expectTensor, type Tensor } from '../values/tensor.js'
import { encodeLatents, encodeSources, engineWith } from './encode.js'
import { fitOptions } from '../image/fit.js'
import { modificationOf, planFromImages, type ModifyCall } from '../plan/modification.js'
import { floatsOf, splitRows } from '../values/rows.js'

/** `encodeImage`: one embedding for each image, with the SHA-256 of that image as its origin. */
export async function encodeImages(
  input: unknown,
  options: unknown,
  { model: { manifest }, engines }: Resources
): Promise<Embeddings> {
  const { captured, fit, signal } = encodeCall('encodeImage', input, options, manifest)
  const sources = await readSources(captured, fit, manifest, signal)
  const tensor = await nativeCall(() => encodeSources(sources, 1, manifest, engines, signal))
  const origins = sources.images.map(({ sha256 }) => ({
    input: { operation: 'encode' as const, sha256, fit: sources.target.fit }
  }))
  return new Embeddings(
    tensor,
    origins.map(() => 0),
    origins
  )
}

/** `encodeLatents`: Stage A's latents of each image. */
export async function imagesToLatents(
  input: unknown,
  options: unknown,
  { model: { manifest }, engines }: Resources
): Promise<Tensor> {
  const { captured, fit, signal } = encodeCall('encodeLatents', input, options, manifest)
  const sources = await readSources(captured, fit, manifest, signal)
  return nativeCall(() => encodeLatents(sources, engines, signal))
}

function encodeCall(
  call: 'encodeImage' | 'encodeLatents',
  input: unknown,
  options: unknown,
  manifest: Resources['model']['manifest']
) {
  const given = knownOptions(call, options, optionsOf(call))
  const signal = optional(given.signal, value => expectSignal('signal', value))
  signal?.throwIfAborted()
  return { captured: captureImages('image', input), fit: fitOptions(expectScalars(call, given), manifest), signal }
}

/** `decodeLatents`: raw pixels from latents. */
export async function latentsToImages(
  input: unknown,
  options: unknown,
  { model: { manifest }, engines }: Resources
): Promise<RgbImage[]> {
  const signal = optional(knownOptions('decodeLatents', options, ['signal']).signal, value => expectSignal('signal', value))
  const tensor = expectTensor('latents', input)
  const { shape, dtype } = tensor
  const channels = latentChannels(manifest)
  if (shape.length !== 4 || shape[1] !== channels || shape.some(size => size < 1))
    throw invalid('latents.shape', `[images, ${channels}, height, width]`, shape)
  if (!isFloating(dtype)) throw invalid('latents.dtype', 'a floating dtype', dtype)
  const engine = engineWith('vqDecoder', engines)
  const floats = await floatsOf(tensor)
  expectFinite('latents', floats, 'float32')
  const rows = splitRows(floats, shape)
  const [height, width] = [sideOf(shape[2]!, manifest.constants), sideOf(shape[3]!, manifest.constants)]
  const images: RgbImage[] = []
  try {
    for (const row of rows) {
      using pixels = await nativeCall(() => engine.task(handle => loadAddon().decodeLatents(handle, row.handle), signal))
      images.push({ data: (await pixels.data()) as Uint8Array, width, height, channels: 3 })
    }
  } finally {
    for (const row of rows) row.dispose()
  }
  return images
}

/** `reconstruct`, `vary` and `edit`: the images are read and encoded, and then the plan runs like that of any call. */
export async function modify(
  call: ModifyCall,
  input: unknown,
  options: unknown,
  { model: { manifest }, engines }: Resources,
  run: (plan: Plan) => Promise<GenerateResult>
): Promise<GenerateResult> {
  const modification = modificationOf(call, input, options, manifest)
  const { signal, images, masks, fit, perImage } = modification
  signal?.throwIfAborted()
  const sources = await readSources(images, fit, manifest, signal, index => isOwnMask(masks, index))
  using encoded = await nativeCall(() => encodeSources(sources, perImage, manifest, engines, signal))
  const plan = await planFromImages(modification, sources, encoded, manifest)
  using _mask = plan.mask
  return await run(plan)
}
