import { invalid, WuerstchenError } from '../errors.js'
import { captureImage, type CapturedImage } from '../image/input.js'
import { readSource, type SourceImage } from '../image/source.js'
import { loadAddon } from '../load/addon.js'
import type { Manifest } from '../model/manifest.js'
import type { StageName } from '../native.js'
import { leastLoaded } from '../engine/dispatch.js'
import type { Engine } from '../engine/engine.js'
import type { Engines } from '../engine/placement.js'
import { gridOf } from '../model/size.js'
import type { Tensor } from '../values/tensor.js'
import { fitPixels, targetOf, type FitOptions, type Target } from '../image/fit.js'
import { stackRows } from '../values/rows.js'

/** Images in one call: enough for any batch, and each is held in memory as read. */
const MOST_IMAGES = 256

/** What to read, copied from the call. */
export function captureImages(name: string, value: unknown): CapturedImage[] {
  if (!Array.isArray(value)) return [captureImage(name, value)]
  if (value.length === 0 || value.length > MOST_IMAGES)
    throw invalid(name, `an image or a list of 1 to ${MOST_IMAGES} images`, value)
  return [...value].map((item: unknown, index) => captureImage(`${name}[${index}]`, item))
}

/** Images that were read, and the one size they are fitted to. */
export interface Sources {
  images: SourceImage[]
  target: Target
}

/** @throws WuerstchenError INVALID_ARGUMENT, also where images of one call would be fitted to different sizes */
export async function readSources(
  captured: readonly CapturedImage[],
  fit: FitOptions,
  manifest: Manifest,
  signal: AbortSignal | undefined
): Promise<Sources> {
  const images: SourceImage[] = []
  for (const image of captured) {
    images.push(await readSource(image))
    signal?.throwIfAborted()
  }
  const targets = images.map(({ pixels }) => targetOf(pixels, fit, manifest))
  const [first] = targets
  const other = targets.findIndex(({ width, height }) => width !== first!.width || height !== first!.height)
  if (other < 0) return { images, target: first! }
  const size = ({ width, height }: Target) => `${width}×${height}`
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    `Expected images that fit one size for ${captured[other]!.name} but received ${size(targets[other]!)} after ${size(first!)}. Give width and height, or use one call each`
  )
}

/** The engine that has a stage for pictures. */
export function engineWith(stage: StageName, engines: Engines): Engine {
  const engine = engines.kind === 'whole' ? leastLoaded(engines.engines) : engines.decoder
  if (engine.choices.has(stage)) return engine
  throw new WuerstchenError(
    'MODEL_MISMATCH',
    `Expected a model with the stage ${stage} for this call but it has none that runs here. Export it with --image-encoder`
  )
}

/** (images · times, 16, gridHeight, gridWidth) float32 in Stage B's space, each image `times` times in a row. */
export async function encodeSources(
  { images, target }: Sources,
  times: number,
  manifest: Manifest,
  engines: Engines,
  signal: AbortSignal | undefined
): Promise<Tensor> {
  const engine = engineWith('imageEncoder', engines)
  const grid = {
    gridHeight: gridOf(target.height, manifest.constants),
    gridWidth: gridOf(target.width, manifest.constants),
    fit: target.fit
  }
  return collect(images, times, ({ pixels }) => engine.task(handle => loadAddon().encodeImage(handle, pixels, grid), signal))
}

/** (images, 4, height / 4, width / 4) float32: Stage A's latents, as Stage B makes them. */
export async function encodeLatents(
  { images, target }: Sources,
  engines: Engines,
  signal: AbortSignal | undefined
): Promise<Tensor> {
  const engine = engineWith('vqEncoder', engines)
  return collect(images, 1, async ({ pixels }) => {
    const fitted = await fitPixels(pixels, target)
    return engine.task(handle => loadAddon().encodeLatents(handle, fitted), signal)
  })
}

async function collect(
  images: readonly SourceImage[],
  times: number,
  run: (image: SourceImage) => Promise<Tensor>
): Promise<Tensor> {
  const rows: Tensor[] = []
  try {
    for (const image of images) rows.push(await run(image))
  } catch (error) {
    for (const row of rows) row.dispose()
    throw error
  }
  return stackRows(rows, times)
}
