import { WuerstchenError } from '../errors.js'
import { RECORDED, rowOf, SCALAR_NAMES } from '../options/scalars.js'
import type { DecodeOptions, GenerateOptions, GenerationParameters, PriorOptions } from '../index.js'
import { defined } from '../options/known.js'

/** The options of the call that makes an image again. Options that would contradict those in `chosen` are left out. */
export function optionsFromImage(parameters: GenerationParameters, chosen: GenerateOptions): GenerateOptions {
  const { prompt, negativePrompt, width, height, seed, priorTimesteps, decoderTimesteps, givenTensors, input, mixedFrom } =
    parameters
  if (input !== undefined || mixedFrom !== undefined) {
    const way = mixedFrom === undefined ? `${input!.operation} of an image` : 'mixing embeddings'
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected an image made from text alone for --from-image but this one was made by ${way}: make it again from that`,
      { subject: 'fromImage' }
    )
  }
  if (givenTensors !== undefined || priorTimesteps === undefined || decoderTimesteps === undefined) {
    const missing = givenTensors?.join(', ') ?? 'embeddings'
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected an image made from text alone for --from-image but this one was given ${missing}, which no file records`,
      { subject: 'fromImage' }
    )
  }
  return {
    prompt,
    negativePrompt,
    width,
    height,
    ...(chosen.seeds === undefined ? { seed } : {}),
    ...defined(Object.fromEntries(RECORDED.map(name => [name, parameters[name]]))),
    // A preset is another choice of all of these, and what a call gives beside its preset goes first.
    ...(chosen.preset === undefined
      ? {
          ...(chosen.priorSteps === undefined ? { priorTimesteps } : {}),
          ...(chosen.decoderSteps === undefined ? { decoderTimesteps } : {}),
          ...defined({ priorGuidanceInterval: parameters.priorGuidanceInterval })
        }
      : { priorSampler: undefined, decoderSampler: undefined })
  }
}

/** The same call in two parts: that of the prior, and that of the decoder with the options that the image records for it. */
export function splitCall(options: GenerateOptions, parameters: GenerationParameters | undefined): [PriorOptions, DecodeOptions] {
  const decoders = ['decoderTimesteps', ...SCALAR_NAMES.filter(name => rowOf(name).stage === 'decoder')]
  const part = (ofDecoder: boolean) =>
    Object.fromEntries(Object.entries(options).filter(([name]) => decoders.includes(name) === ofDecoder))
  const { decoderSeed: seed, decoderPrompt: prompt, decoderNegativePrompt: negativePrompt } = parameters ?? {}
  return [part(false), { ...part(true), ...defined({ seed, prompt, negativePrompt }) }]
}
