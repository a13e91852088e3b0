import sharp from 'sharp'
import { z } from 'zod'
import { INPUT_FORMATS, isAnimated, sniff } from '../../internal.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { invalidField } from './error.js'

const DATA_URI = /^data:[a-z0-9.+/-]{0,100};base64,/i
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const LINE_BREAKS = /[\r\n]+/g

/**
 * A file in a request: uploaded, or as base64. Never an address or a path: a string that is not base64 is refused, and
 * nothing is ever fetched or opened.
 */
export function uploaded(description: string) {
  return z
    .unknown()
    .meta({ type: 'string', contentEncoding: 'base64', minLength: 1, description })
    .transform((value, context) => {
      // Clients that can send several put one into a list too.
      const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value
      const bytes = typeof one === 'string' ? fromBase64(one) : one
      if (Buffer.isBuffer(bytes) && bytes.length > 0) return bytes
      if (value === undefined) context.addIssue({ code: 'invalid_type', expected: 'string', input: value })
      else
        context.addIssue({
          code: 'custom',
          params: { expected: Array.isArray(value) ? 'one file a request' : 'a file, or its base64,' },
          input: value
        })
      return z.NEVER
    })
}

function fromBase64(text: string): Buffer | undefined {
  // base64 FILE and Python's encodebytes break lines.
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
  if (format === undefined) throw refuse('its first bytes are those of something else')
  if (isAnimated(bytes, format)) throw refuse(`it is an animated ${format}`)
  const { width, height } = await sharp(bytes)
    .metadata()
    .catch(() => {
      throw refuse('its header cannot be read')
    })
  if (width * height > maxInputPixels) throw refuse(`it has ${width} × ${height}`)
}
