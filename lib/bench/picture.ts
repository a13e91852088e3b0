import type { Pipeline } from '../index.js'
import type { Sampling } from './settings.js'

/** Milliseconds of one call from prompt to PNG bytes, in total and by stage. */
export interface CallTimes {
  endToEnd: number
  stages: Record<string, number>
}

/** The stages of a call in the order in which they run; `png` encodes all of its images. */
export const CALL_STAGES = ['queued', 'priorTextEncoder', 'prior', 'decoderTextEncoder', 'decoder', 'vqDecoder', 'png'] as const

/** One call as a user makes it, from the prompt to the bytes of its PNG files. */
export async function makePicture(
  pipeline: Pipeline,
  sampling: Sampling,
  seed: number,
  images: number,
  signal: AbortSignal | undefined
): Promise<CallTimes> {
  const started = performance.now()
  const result = await pipeline.generate({ ...sampling, seed, numImagesPerPrompt: images, ...(signal && { signal }) })
  const generated = performance.now()
  await Promise.all(result.images.map(image => image.toBuffer('png')))
  const ended = performance.now()
  const times: Record<string, number> = { ...result.timings, png: ended - generated }
  return { endToEnd: ended - started, stages: Object.fromEntries(CALL_STAGES.map(stage => [stage, times[stage]!])) }
}
