import { WuerstchenError } from '../errors.js'
import type { GenerationParameters } from '../image/parameters.js'
import type { DecodeOptions, GenerateOptions, PriorOptions } from '../plan/options.js'

/** The call that makes an image again; what `chosen` sets instead is left out where the two would contradict each other. */
export function optionsFromImage(parameters: GenerationParameters, chosen: GenerateOptions): GenerateOptions {
  const {
    prompt,
    negativePrompt,
    width,
    height,
    seed,
    priorTimesteps,
    priorGuidanceScale,
    decoderTimesteps,
    decoderGuidanceScale,
    givenTensors,
    input,
    mixedFrom
  } = parameters
  if (input !== undefined || mixedFrom !== undefined) {
    const way = mixedFrom === undefined ? `${input!.operation} of a picture` : 'mixing embeddings'
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected a picture made from text alone for --from-image but this one was made by ${way}: make it again from that`,
      { subject: 'fromImage' }
    )
  }
  if (givenTensors !== undefined || priorTimesteps === undefined || decoderTimesteps === undefined) {
    const missing = givenTensors?.join(', ') ?? 'embeddings'
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected a picture made from text alone for --from-image but this one was given ${missing}, which no file records`,
      { subject: 'fromImage' }
    )
  }
  return {
    prompt,
    negativePrompt,
    width,
    height,
    ...(chosen.seeds === undefined ? { seed } : {}),
    ...(chosen.priorSteps === undefined ? { priorTimesteps } : {}),
    ...(chosen.decoderSteps === undefined ? { decoderTimesteps } : {}),
    ...(priorGuidanceScale === undefined ? {} : { priorGuidanceScale }),
    ...(decoderGuidanceScale === undefined ? {} : { decoderGuidanceScale })
  }
}

/** The same call as two: the prior's, and the decoder's with what the image says of it. */
export function splitCall(options: GenerateOptions, parameters: GenerationParameters | undefined): [PriorOptions, DecodeOptions] {
  const { decoderSteps, decoderTimesteps, decoderGuidanceScale, ...prior } = options
  const { decoderSeed, decoderPrompt, decoderNegativePrompt } = parameters ?? {}
  const all = {
    decoderSteps,
    decoderTimesteps,
    decoderGuidanceScale,
    seed: decoderSeed,
    prompt: decoderPrompt,
    negativePrompt: decoderNegativePrompt
  }
  return [prior, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))]
}
