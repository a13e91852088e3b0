import type { EngineRequest, ImageSpec, NativeSampling } from '../native.js'
import type { Plan } from '../plan/plan.js'
import type { TextRows } from './rows.js'
import { handlesOf, type Handles } from './held.js'
import { TextTable, type CutText, type TokenizedTexts } from './texts.js'

/** A plan in the form that the engine takes, and the texts that were too long. */
export interface PreparedRequest {
  request: EngineRequest
  cut: CutText[]
}

/** The texts that a plan needs tokens of. */
export function textsOf(plan: Plan): Record<'prior' | 'decoder', Set<string>> {
  const { prompts, negativePrompts, embeds, negativeEmbeds } = plan.conditioning
  const of = (half: 'prior' | 'decoder') => [
    ...(plan[half] === null || embeds[half] !== undefined ? [] : prompts),
    ...(guided(plan[half]) && negativeEmbeds[half] === undefined ? negativePrompts : [])
  ]
  return { prior: new Set(of('prior')), decoder: new Set(of('decoder')) }
}

/**
 * Lays out the texts and images of a plan. It is not async, so that tensors are submitted before the caller can dispose of them.
 * @param handles the plan's tensors, or copies of them if the caller may have disposed of them
 */
export function prepareRequest(
  plan: Plan,
  tokenized: TokenizedTexts,
  rows: TextRows,
  handles: Handles = handlesOf(plan)
): PreparedRequest {
  const { prompts, negativePrompts } = plan.conditioning
  const prior = new TextTable('prior', tokenized)
  const decoder = new TextTable('decoder', tokenized)
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
      prior: nativeSampling(plan.prior),
      decoder: nativeSampling(plan.decoder),
      priorLatents: plan.prior === null ? null : handles.latents,
      decoderLatents: plan.prior === null ? handles.latents : null,
      embeddings: handles.embeddings,
      mask: handles.mask,
      decoderSource: handles.decoderSource,
      previews: plan.prior === null || plan.onPreview === undefined ? 0 : plan.previews
    },
    cut: withoutRepeats([...prior.cuts, ...decoder.cuts])
  }
}

function nativeSampling(sampling: Plan['prior']): NativeSampling | null {
  if (sampling === null) return null
  const { timesteps, sampler, guidanceScale, guidanceInterval } = sampling
  const [guidanceFrom, guidanceTo] = guidanceInterval
  return { timesteps, sampler, guidanceScale, guidanceFrom, guidanceTo }
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
