import { WuerstchenError } from '../errors.js'
import type { SourceImage } from '../image/source.js'
import type { Sources } from '../image/sources.js'
import { loadAddon } from '../load/addon.js'
import type { Manifest } from '../model/manifest.js'
import type { StageName } from '../native.js'
import { leastLoaded } from '../engine/dispatch.js'
import type { Engine } from '../engine/engine.js'
import type { Engines } from '../engine/placement.js'
import { gridOf } from '../model/size.js'
import type { Tensor } from '../values/tensor.js'
import { fitPixels } from '../image/fit.js'
import { stackRows } from '../values/rows.js'

/** The engine that has a stage for images. */
export function engineWith(stage: StageName, engines: Engines): Engine {
  const engine = engines.kind === 'whole' ? leastLoaded(engines.engines) : engines.decoder
  if (engine.choices.has(stage)) return engine
  throw new WuerstchenError(
    'MODEL_MISMATCH',
    `Expected a model with the stage ${stage} for this call but it has none that runs here. Export it with --image-encoder`,
    { subject: stage }
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

/** (images, 4, height / 4, width / 4) float32: Stage A's latents, in the scale of Stage B. */
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
