import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Limits } from '../limits.js'

/** What all fields but texts and files may take together. */
const OTHER_FIELDS = 64 * 1024

/** JSON may write each UTF-16 unit of a text as \uXXXX. */
const BYTES_OF_CHARACTER = 6
/** A prompt, and one of what to avoid. */
const TEXTS = 2

/** Bytes of a request that brings no body; some clients send an empty one all the same. */
const NO_BODY = 1024

/** The most bytes that a request without files can have use for. */
export function bytesWithoutFiles({ maxPromptLength, maxBodyBytes }: Limits): number {
  return Math.min(maxBodyBytes, TEXTS * bytesOfText({ maxPromptLength }) + OTHER_FIELDS)
}

/** The most bytes that JSON may take for a prompt. */
export function bytesOfText({ maxPromptLength }: Pick<Limits, 'maxPromptLength'>): number {
  return BYTES_OF_CHARACTER * maxPromptLength
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the body may have files in it. It follows from the route's schema. */
    files?: boolean
  }
}

/**
 * Gives every route a limit of its own for its body, whatever the application around has: only what can have a file in it may be
 * large.
 */
export function addBodyLimits(app: FastifyInstance, limits: Limits): void {
  app.addHook('onRoute', route => {
    const body = route.schema?.body as z.ZodType | undefined
    const files = body !== undefined && hasFiles(body)
    route.config = { ...route.config, files }
    route.bodyLimit = files ? limits.maxBodyBytes : body === undefined ? NO_BODY : bytesWithoutFiles(limits)
  })
}

function hasFiles(schema: z.ZodType): boolean {
  return JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })).includes('"contentEncoding":"base64"')
}
