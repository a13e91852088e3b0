import { z } from 'zod'

/** OpenAI's fields that change nothing of an image here. They are accepted, and the reply names those that were given. */
const WITHOUT_EFFECT = {
  quality: z.enum(['auto', 'low', 'medium', 'high', 'standard', 'hd']),
  style: z.enum(['vivid', 'natural']),
  moderation: z.enum(['auto', 'low']),
  input_fidelity: z.enum(['high', 'low']),
  user: z.string().max(256)
}

type Name = keyof typeof WITHOUT_EFFECT
const NAMES = Object.keys(WITHOUT_EFFECT) as Name[]

export type WithoutEffect = { [Key in Name]?: z.infer<(typeof WITHOUT_EFFECT)[Key]> | null | undefined }

const NOTHING = 'Changes nothing here; the reply then names it in ignored.'

/** Values that ask for what images are anyway. */
const ASKS_NOTHING: WithoutEffect = { quality: 'auto' }

/**
 * The schemas of these fields.
 * @param strict whether to refuse what would be ignored
 */
export function fieldsWithoutEffect(strict: boolean) {
  const { quality, style, moderation, input_fidelity, user } = WITHOUT_EFFECT
  const everywhere = {
    user: user.nullish().describe(`Whoever the request is made for; written to the log, and to nothing else. ${NOTHING}`)
  }
  const ofImages = {
    quality: quality.nullish().describe(`prior_steps and decoder_steps trade time for detail. Other than auto: ${NOTHING}`),
    style: style.nullish().describe(NOTHING),
    moderation: moderation.nullish().describe(NOTHING),
    input_fidelity: input_fidelity.nullish().describe(`strength says how much of an image stays. ${NOTHING}`)
  }
  if (!strict) return { everywhere, ofImages }
  const auto = z.enum(['auto']).nullish().describe('There is one; prior_steps and decoder_steps trade time for detail.')
  // Typed as if the others were there: what reads a body finds them left out.
  return { everywhere: {} as typeof everywhere, ofImages: { quality: auto } as unknown as typeof ofImages }
}

/** The fields of a request that change nothing, by name. */
export function ignoredOf(body: WithoutEffect): string[] {
  return NAMES.filter(name => body[name] !== undefined && body[name] !== null && body[name] !== ASKS_NOTHING[name])
}
