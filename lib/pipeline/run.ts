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
import { HeldTensors } from './held.js'
import { prepareRequest, textsOf } from './request.js'
import { SlicedTexts } from './rows.js'
import { TokenizedTexts, type CutText, type Tokenizers } from './texts.js'

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

/** Runs a plan. */
export async function runPlan(plan: Plan, resources: Resources): Promise<Finished> {
  const started = performance.now()
  plan.signal?.throwIfAborted()
  if (plan.previews > 0 && !canPreview(resources.engines)) throw noPreviews()
  const { onStep, onPreview, onImage } = plan
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
      return onImage?.({ index: event.image, image })
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
      const texts = new TokenizedTexts(textsOf(plan), resources.tokenizers)
      const waits = !texts.advance() || hasTextTensors(plan)
      // Tensors are copied first. Without text tensors or many texts, the request is submitted before this function first waits.
      const [held, sliced] = waits ? await holdTensors(plan) : []
      try {
        if (waits) await texts.finish(signal)
        const { request, cut } = prepareRequest(plan, texts, sliced?.rows ?? {}, held?.handles)
        const result = await dispatch(resources.engines, request, signal, onEvent)
        return { result, images, cut }
      } finally {
        // They are disposed of only now, because the decoder's half may be submitted after the prior's is done.
        held?.[Symbol.dispose]()
        sliced?.[Symbol.dispose]()
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

/** Both begin before either is awaited, so that the caller may dispose of all tensors at once. */
async function holdTensors(plan: Plan): Promise<[HeldTensors, SlicedTexts]> {
  const [held, sliced] = await Promise.allSettled([HeldTensors.of(plan), SlicedTexts.of(plan.conditioning)])
  if (held.status === 'fulfilled' && sliced.status === 'fulfilled') return [held.value, sliced.value]
  for (const each of [held, sliced]) if (each.status === 'fulfilled') each.value[Symbol.dispose]()
  throw held.status === 'rejected' ? held.reason : (sliced as PromiseRejectedResult).reason
}

function hasTextTensors({ conditioning: { embeds, negativeEmbeds } }: Plan): boolean {
  return Object.keys(embeds).length + Object.keys(negativeEmbeds).length > 0
}
