import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Limits } from '../limits.js'

/** What all fields but texts and files may take together. */
const OTHER_FIELDS = 64 * 1024

/** Fields of two texts, in which JSON may write each UTF-16 unit as \uXXXX. */
const BYTES_OF_TEXTS = 2 * 6

/** Bytes of a request that brings no body; some clients send an empty one all the same. */
const NO_BODY = 1024

/** The most bytes that a request without files can have use for. */
export function bytesWithoutFiles({ maxPromptLength, maxBodyBytes }: Limits): number {
  return Math.min(maxBodyBytes, BYTES_OF_TEXTS * maxPromptLength + OTHER_FIELDS)
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
