import type { Call } from './sampling.js'

const TEXTS = ['prompt', 'negativePrompt', 'seeds'] as const
const GIVEN_TEXTS = ['promptEmbeds', 'negativePromptEmbeds'] as const
const OF_PRIOR = ['priorTimesteps', 'priorGuidanceInterval'] as const
const FROM_IMAGE = ['priorGuidanceInterval', 'decoderTimesteps'] as const
const WATCHED = ['signal', 'onStep'] as const

/** The options of each call that are not scalars. */
export const OTHERS = {
  generate: [...TEXTS, ...GIVEN_TEXTS, ...OF_PRIOR, 'decoderTimesteps', 'latents', ...WATCHED, 'onPreview', 'onImage'],
  prior: [...TEXTS, ...GIVEN_TEXTS, ...OF_PRIOR, 'latents', ...WATCHED],
  decode: [...TEXTS, ...GIVEN_TEXTS, 'decoderTimesteps', 'latents', ...WATCHED, 'onImage'],
  encodeImage: ['signal'],
  encodeLatents: ['signal'],
  reconstruct: [...TEXTS, 'decoderTimesteps', ...WATCHED, 'onImage'],
  vary: [...TEXTS, ...FROM_IMAGE, ...WATCHED, 'onPreview', 'onImage'],
  edit: [...TEXTS, ...FROM_IMAGE, 'mask', ...WATCHED, 'onPreview', 'onImage']
} as const satisfies Record<Call, readonly string[]>
