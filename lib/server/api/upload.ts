import sharp from 'sharp'
import { z } from 'zod'
import { INPUT_FORMATS, isAnimated, otherFormat, sniff } from '../../internal.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { DATA_URI, LINE_BREAKS } from './base64-text.js'
import { invalidField } from './error.js'

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const FILE = { type: 'string', contentEncoding: 'base64', minLength: 1 } as const
/** How OpenAI's clients name a file in JSON. They may also give an address or an id there, which lead to nothing here. */
const REFERENCE = {
  type: 'object',
  properties: { image_url: { ...FILE, description: 'A data: URL with base64.' } },
  required: ['image_url'],
  additionalProperties: false
} as const

/**
 * A file in a request: uploaded, or as base64. Never an address or a path: a string that is not base64 is refused, and
 * nothing is ever fetched or opened.
 */
export function uploaded(description: string) {
  return oneFile({ ...FILE, description }, 'a file, or its base64,', value => value)
}

/** A file that may also be named as OpenAI's clients do it in JSON. */
export function uploadedOrNamed(description: string) {
  return oneFile({ anyOf: [FILE, REFERENCE], description }, 'a file, its base64, or a data: URL in image_url', inReference)
}

/** A list of the one file that a request takes, named as OpenAI's clients do it in JSON. */
export function namedFiles(description: string) {
  const list = { type: 'array', items: REFERENCE, minItems: 1, maxItems: 1, description } as const
  return oneFile(list, 'a list of one image_url with a data: URL', inReference)
}

function oneFile(schema: Record<string, unknown>, expected: string, read: (value: unknown) => unknown) {
  return z
    .unknown()
    .meta(schema)
    .transform((value, context) => {
      // Clients that can send several put one into a list too.
      const one = read(Array.isArray(value) && value.length === 1 ? value[0] : value)
      const bytes = typeof one === 'string' ? fromBase64(one) : one
      if (Buffer.isBuffer(bytes) && bytes.length > 0) return bytes
      if (value === undefined) context.addIssue({ code: 'invalid_type', expected: 'string', input: value })
      else
        context.addIssue({
          code: 'custom',
          params: { expected: Array.isArray(value) && value.length !== 1 ? 'one file a request' : expected },
          input: value
        })
      return z.NEVER
    })
}

/** What `{ "image_url": … }` has, if it has nothing else. */
function inReference(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || Object.keys(value).length !== 1) return value
  return (value as { image_url?: unknown }).image_url
}

function fromBase64(text: string): Buffer | undefined {
  const encoded = text.slice(DATA_URI.exec(text)?.[0].length ?? 0).replace(LINE_BREAKS, '')
  return encoded.length % 4 === 0 && BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : undefined
}

/** Refuses, by its first bytes and its header alone, what is no image that may be decoded. */
export async function checkImage(param: string, bytes: Buffer, model: ModelFacts, { maxInputPixels }: Limits): Promise<void> {
  if (!model.readsImages)
    throw invalidField('model', 'invalid_value', `Expected a model that can read images for model but ${model.name} cannot`)
  const refuse = (detail: string) =>
    invalidField(
      param,
      'invalid_image',
      `Expected a ${INPUT_FORMATS.join(', ')} still image of at most ${maxInputPixels} pixels for ${param} but ${detail}`
    )
  const format = sniff(bytes)
  if (format === undefined) throw refuse(otherFormat(bytes))
  if (isAnimated(bytes, format)) throw refuse(`it is an animated ${format}`)
  const { width, height } = await sharp(bytes)
    .metadata()
    .catch(() => {
      throw refuse('its header cannot be read')
    })
  if (width * height > maxInputPixels) throw refuse(`it has ${width} × ${height}`)
}
