import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ApiError } from '../api/error.js'

const MOST_CHARACTERS = 255

/** A string of RFC 9651, in quotes, as draft-ietf-httpapi-idempotency-key-header has it; what most clients send has none. */
const QUOTED = String.raw`"(?:[ !#-\[\]-~]|\\["\\])+"`
const BARE = '[A-Za-z0-9._~:/+=@-]+'

/** The header, for the OpenAPI document. */
export const IDEMPOTENCY_HEADERS = z.object({
  'Idempotency-Key': z
    .string()
    .regex(new RegExp(`^(?:${QUOTED}|${BARE})$`))
    .max(MOST_CHARACTERS)
    .optional()
    .describe('Sent again with the same request, it gives the same job and its answer, as long as the job is kept.')
})

/**
 * The key by which a request may be sent again.
 * @throws ApiError 400 for one that cannot be read, and for two of them
 */
export function idempotencyKey({ headers }: FastifyRequest): string | undefined {
  // Node joins two headers of one name by a comma, which no key of either form has outside of its quotes.
  const given = headers['idempotency-key']
  if (given === undefined) return undefined
  if (!IDEMPOTENCY_HEADERS.safeParse({ 'Idempotency-Key': given }).success)
    throw new ApiError(
      { status: 400, code: 'invalid_idempotency_key' },
      `Expected one key of 1 to ${MOST_CHARACTERS} letters, digits and ._~:/+=@-, or a string in quotes, in the header Idempotency-Key`
    )
  const text = given as string
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(["\\])/g, '$1') : text
}
