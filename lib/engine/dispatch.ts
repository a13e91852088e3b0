import { loadAddon } from '../load/addon.js'
import type { EngineEvent, EngineRequest, EngineResult } from '../native.js'
import type { Timings } from '../timings.js'
import type { Engine } from './engine.js'
import type { Engines } from './placement.js'
import { spread } from './spread.js'

type OnEvent = (event: EngineEvent) => void

/**
 * Runs a request on the engines it belongs to: spread over the engines with the least to do, or one half after the other on two
 * engines.
 */
export async function dispatch(
  engines: Engines,
  request: EngineRequest,
  signal: AbortSignal,
  onEvent: OnEvent
): Promise<EngineResult> {
  if (engines.kind === 'whole') return spread(engines.engines, request, signal, onEvent)
  if (request.prior === null) return engines.decoder.run(request, signal, onEvent)
  if (request.decoder === null) return engines.prior.run(request, signal, onEvent)
  return bothHalves(engines, request, signal, onEvent)
}

/** Previews are made by the engine that runs the request's prior. */
export function canPreview(engines: Engines): boolean {
  return engines.kind === 'whole' ? engines.engines.every(engine => engine.canPreview) : engines.prior.canPreview
}

export function leastLoaded(engines: readonly Engine[]): Engine {
  return engines.reduce((least, engine) => (engine.load < least.load ? engine : least))
}

/** The embeddings are moved from one engine to the other, with how far each image's random stream was read. */
async function bothHalves(
  engines: Extract<Engines, { kind: 'halves' }>,
  request: EngineRequest,
  signal: AbortSignal,
  onEvent: OnEvent
): Promise<EngineResult> {
  const first = await engines.prior.run(
    {
      ...request,
      decoderTexts: [],
      decoder: null,
      decoderLatents: null,
      decoderSource: null,
      images: request.images.map(image => ({ ...image, decoderText: -1, decoderNegativeText: -1 }))
    },
    signal,
    onEvent
  )
  try {
    const second = engines.decoder.run(
      {
        ...request,
        previews: 0,
        priorTexts: [],
        prior: null,
        priorLatents: null,
        mask: null,
        embeddings: first.embeddings,
        images: request.images.map((image, index) => ({
          ...image,
          randomOffset: first.randomOffsets[index]!,
          priorText: -1,
          priorNegativeText: -1
        }))
      },
      signal,
      onEvent
    )
    const result = await second
    return { ...result, timings: sum(first.timings, result.timings) }
  } finally {
    loadAddon().disposeTensor(first.embeddings)
  }
}

function sum(a: Timings, b: Timings): Timings {
  return Object.fromEntries(Object.entries(a).map(([key, ms]) => [key, ms + b[key as keyof Timings]])) as unknown as Timings
}
