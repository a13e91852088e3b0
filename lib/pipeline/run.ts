import { WuerstchenError } from '../errors.js'
import { GeneratedImage } from '../image/generated-image.js'
import { loadAddon } from '../load/addon.js'
import type { ModelDirectory } from '../model/manifest.js'
import type { EngineEvent, EngineResult, NativePixels } from '../native.js'
import { Listeners } from '../options/listeners.js'
import { describeImage, type Surroundings } from './describe.js'
import { canPreview, dispatch } from '../engine/dispatch.js'
import type { Plan } from '../plan/plan.js'
import type { Engines } from '../engine/placement.js'
import { HeldPlan } from './held.js'
import { prepareRequest } from './request.js'
import { SlicedTexts } from './rows.js'
import type { CutText, Tokenizers } from './texts.js'

/** What a run needs from its pipeline. */
export interface Resources {
  model: ModelDirectory
  tokenizers: Tokenizers
  engines: Engines
  surroundings: Surroundings
}

/** A finished run; the caller owns `result.embeddings`. */
export interface Finished {
  result: EngineResult
  images: GeneratedImage[]
  cut: CutText[]
}

/** Runs a plan. `onImage` gets each image as soon as it is finished, so the order may differ from the plan's. */
export async function runPlan(
  plan: Plan,
  resources: Resources,
  onImage?: (index: number, image: GeneratedImage) => unknown
): Promise<Finished> {
  const started = performance.now()
  plan.signal?.throwIfAborted()
  if (plan.previews > 0 && !canPreview(resources.engines)) throw noPreviews()
  const { onStep, onPreview } = plan
  const images: GeneratedImage[] = []
  const finish = (index: number, pixels: NativePixels) =>
    (images[index] = new GeneratedImage(
      plan.finish?.(pixels, index) ?? pixels,
      describeImage(plan, index, resources.model, resources.surroundings)
    ))
  const listeners = new Listeners(plan.signal)
  const onEvent = listeners.of((event: EngineEvent) => {
    if (event.type === 'image') {
      const image = finish(event.image, event.pixels)
      return onImage?.(event.image, image)
    }
    const elapsedMs = performance.now() - started
    if (event.type === 'preview') {
      const { image, pixels, step, steps } = event
      return onPreview?.({ index: image, image: { ...pixels, channels: 3 }, stage: 'prior', step, steps, elapsedMs })
    }
    const { image, stage, step, steps, timestep } = event
    return onStep?.({ image, stage, step, steps, timestep, elapsedMs })
  })
  return listeners.run(
    async signal => {
      // Text tensors are copied first, and so must the others be. Without them, the request is submitted before this first waits.
      const [sliced, held] = hasTextTensors(plan) ? await Promise.all([SlicedTexts.of(plan.conditioning), HeldPlan.of(plan)]) : []
      try {
        const { request, cut } = prepareRequest(held?.plan ?? plan, resources.tokenizers, sliced?.rows ?? {})
        const result = await dispatch(resources.engines, request, signal, onEvent)
        return { result, images, cut }
      } finally {
        // They are disposed of only now, because the decoder's half may be submitted after the prior's is done.
        sliced?.[Symbol.dispose]()
        held?.[Symbol.dispose]()
      }
    },
    ({ result }) => loadAddon().disposeTensor(result.embeddings)
  )
}

function noPreviews(): WuerstchenError {
  return new WuerstchenError(
    'MODEL_MISMATCH',
    "Expected a model with the stage previewer, or its decoder beside its prior with residency 'all', for previews but this pipeline has neither",
    { subject: 'previewer' }
  )
}

function hasTextTensors({ conditioning: { embeds, negativeEmbeds } }: Plan): boolean {
  return Object.keys(embeds).length + Object.keys(negativeEmbeds).length > 0
}
