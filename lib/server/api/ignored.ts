import { z } from 'zod'

/** OpenAI's fields that change nothing of an image here. They are accepted, and the reply names those that were given. */
const WITHOUT_EFFECT = {
  style: z.enum(['vivid', 'natural']),
  moderation: z.enum(['auto', 'low']),
  input_fidelity: z.enum(['high', 'low']),
  user: z.string().max(256)
}

type Name = keyof typeof WITHOUT_EFFECT
const NAMES = Object.keys(WITHOUT_EFFECT) as Name[]

export type WithoutEffect = { [Key in Name]?: z.infer<(typeof WITHOUT_EFFECT)[Key]> | null | undefined }

const NOTHING = 'Changes nothing here; the reply then names it in ignored.'

/**
 * The schemas of these fields.
 * @param strict whether to refuse what would be ignored
 */
export function fieldsWithoutEffect(strict: boolean) {
  const { style, moderation, input_fidelity, user } = WITHOUT_EFFECT
  const everywhere = {
    user: user.nullish().describe(`Whoever the request is made for; written to the log, and to nothing else. ${NOTHING}`)
  }
  const ofImages = {
    style: style.nullish().describe(NOTHING),
    moderation: moderation.nullish().describe(NOTHING),
    input_fidelity: input_fidelity.nullish().describe(`strength says how much of an image stays. ${NOTHING}`)
  }
  if (!strict) return { everywhere, ofImages }
  // Typed as if the others were there: what reads a body finds them left out.
  return { everywhere: {} as typeof everywhere, ofImages: {} as typeof ofImages }
}

/** The fields of a request that change nothing, by name. */
export function ignoredOf(body: WithoutEffect): string[] {
  return NAMES.filter(name => body[name] !== undefined && body[name] !== null)
}
