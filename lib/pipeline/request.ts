import type { EngineRequest, ImageSpec } from '../native.js'
import type { Plan } from '../plan/plan.js'
import type { TextRows } from './rows.js'
import { TextTable, type CutText, type Tokenizers } from './texts.js'

/** A plan in the form that the engine takes, and the texts that were too long. */
export interface PreparedRequest {
  request: EngineRequest
  cut: CutText[]
}

/**
 * Tokenizes the texts of a plan and lays out its images. It is not async, so that tensors are submitted before the caller can
 * dispose of them.
 */
export function prepareRequest(plan: Plan, tokenizers: Tokenizers, rows: TextRows): PreparedRequest {
  const { prompts, negativePrompts } = plan.conditioning
  const prior = new TextTable('prior', tokenizers.prior)
  const decoder = new TextTable('decoder', tokenizers.decoder)
  const texts = prompts.map((prompt, index) => ({
    priorText: plan.prior === null ? -1 : prior.add(rows.prior?.[index] ?? prompt),
    priorNegativeText: guided(plan.prior) ? prior.add(rows.priorNegative?.[index] ?? negativePrompts[index]!) : -1,
    decoderText: plan.decoder === null ? -1 : decoder.add(rows.decoder?.[index] ?? prompt),
    decoderNegativeText: guided(plan.decoder) ? decoder.add(rows.decoderNegative?.[index] ?? negativePrompts[index]!) : -1
  }))
  const images: ImageSpec[] = plan.seeds.map((seed, image) => ({
    seed,
    randomOffset: plan.freshStreams ? 0 : (plan.embeddings?.randomOffsets[image] ?? 0),
    ...texts[Math.floor(image / plan.imagesPerPrompt)]!
  }))
  return {
    request: {
      gridHeight: plan.gridHeight,
      gridWidth: plan.gridWidth,
      images,
      priorTexts: prior.inputs,
      decoderTexts: decoder.inputs,
      priorTimesteps: plan.prior?.timesteps ?? null,
      priorGuidanceScale: plan.prior?.guidanceScale ?? 0,
      decoderTimesteps: plan.decoder?.timesteps ?? null,
      decoderGuidanceScale: plan.decoder?.guidanceScale ?? 0,
      priorLatents: plan.prior === null ? null : (plan.latents?.handle ?? null),
      decoderLatents: plan.prior === null ? (plan.latents?.handle ?? null) : null,
      embeddings: plan.embeddings?.tensor.handle ?? null,
      mask: plan.mask?.handle ?? null,
      decoderSource: plan.decoderSource?.handle ?? null,
      previews: plan.prior === null || plan.onPreview === undefined ? 0 : plan.previews
    },
    cut: withoutRepeats([...prior.cuts, ...decoder.cuts])
  }
}

/** A guidance scale above 1 runs the negative text beside the prompt. Up to 1 there is no guidance, as in the reference. */
function guided(sampling: Plan['prior']): boolean {
  return sampling !== null && sampling.guidanceScale > 1
}

/** If both encoders cut the same end off the same text, one report is enough. */
function withoutRepeats(cuts: readonly CutText[]): CutText[] {
  return cuts.filter(
    (cut, index) => !cuts.slice(0, index).some(other => other.text === cut.text && other.removed === cut.removed)
  )
}
