import multipart, { type MultipartFile } from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { WuerstchenError } from '../../errors.js'
import { ApiError, invalidField } from '../api/error.js'
import { describeReceived } from '../api/expectation.js'
import { MOST_STEPS } from '../../options/sampling.js'
import type { Limits } from '../limits.js'
import { ByteCollector } from './byte-collector.js'
import { parseField, tooLarge } from './json-body.js'

/** More than any request has: an image and its mask; a field each for the rest, and two lists of timesteps. */
const [MOST_FILES, MOST_FIELDS] = [2, 64 + 2 * (MOST_STEPS + 1)]

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's body may also be a form; its fields then become what they are in JSON. */
    form?: boolean
  }
}

/** Lets routes take their body as a form: files become bytes, and numbers, booleans and lists what they are in JSON. */
export async function addMultipart(app: FastifyInstance, { maxBodyBytes, maxPromptLength }: Limits): Promise<void> {
  await app.register(multipart, {
    limits: {
      fileSize: maxBodyBytes,
      files: MOST_FILES,
      fields: MOST_FIELDS,
      parts: MOST_FILES + MOST_FIELDS,
      fieldSize: Math.max(maxPromptLength * 4, 1024),
      fieldNameSize: 100
    }
  })
  app.addHook('preParsing', async ({ headers, routeOptions }) => {
    if (/^\s*multipart\//i.test(headers['content-type'] ?? '') && routeOptions.config.form !== true) {
      throw new ApiError({ status: 415, code: 'unsupported_media_type' }, 'Expected application/json for the header Content-Type')
    }
  })
  const kinds = new WeakMap<object, FormFields>()
  app.addHook('preValidation', async request => {
    const schema = request.routeOptions.schema?.body as z.ZodType | undefined
    if (schema === undefined || !request.isMultipart()) return
    let known = kinds.get(schema)
    if (known === undefined) kinds.set(schema, (known = formFields(schema)))
    request.body = await readForm(request, known)
  })
}

interface FormFields {
  /** What each field is in JSON. */
  kinds: ReadonlyMap<string, string>
  required: ReadonlySet<string>
}

async function readForm(request: FastifyRequest, { kinds, required }: FormFields): Promise<Record<string, unknown>> {
  const parts = new Map<string, unknown[]>()
  // In the turn in which the parser begins to read, so that both see every byte.
  const overflow = countBytes(request)
  const form = request.parts()
  let cutOff: string | undefined
  try {
    for (;;) {
      const next = await Promise.race([overflow, form.next()])
      if (next.done === true) break
      const part = next.value
      if (part.type === 'field' && part.valueTruncated) cutOff ??= part.fieldname
      const value = part.type === 'file' ? await Promise.race([overflow, readFile(part.file)]) : part.value
      // Names that clients give to lists have brackets behind them.
      const name = part.fieldname.replace(/\[\]$/, '')
      // Forms of web pages send all their fields. One without a value is as good as left out; a prompt may be empty.
      if (value === '' && !required.has(name)) continue
      if (Buffer.isBuffer(value) && value.length === 0) continue
      const values = parts.get(name)
      if (values === undefined) parts.set(name, [value])
      else values.push(value)
    }
  } catch (error) {
    // The parser's own errors, of forms that are broken, say neither who is to blame nor a status.
    if (error instanceof ApiError || WuerstchenError.is(error)) throw error
    if ((error as { statusCode?: number }).statusCode !== undefined) throw error
    throw new ApiError({ status: 400, code: 'bad_request' }, 'The form cannot be read')
  }
  // The parser hands on what is left of it, which can be base64 of the first part of an image.
  if (cutOff !== undefined) throw tooLong(cutOff)
  return Object.fromEntries(
    [...parts].map(([name, values]) => {
      const kind = kinds.get(name) ?? 'string'
      const read = kind === 'string' ? values : values.map(value => fromText(name, kind, value))
      return [name, kind === 'array' ? read.flat() : read.length === 1 ? read[0] : read]
    })
  )
}

/**
 * Counts what comes, for a form that does not say how long it is. Rejects when it is more than the route takes, or than there is
 * room for; the parser then gets no more of it.
 */
function countBytes({ raw, charge, routeOptions: { bodyLimit } }: FastifyRequest): Promise<never> {
  let bytes = 0
  const overflow = new Promise<never>((_, reject) => {
    const count = (piece: Buffer) => {
      bytes += piece.length
      try {
        if (bytes > bodyLimit) throw tooLarge(bodyLimit)
        charge?.growTo(bytes)
      } catch (error) {
        raw.off('data', count).unpipe()
        raw.resume()
        reject(error as Error)
      }
    }
    raw.on('data', count)
  })
  // Who has read all of the form does not wait for it.
  overflow.catch(() => {})
  return overflow
}

function tooLong(name: string): ApiError {
  return invalidField(name, 'invalid_value', `Expected a shorter text for ${name}: what is longer has to be sent as a file`)
}

async function readFile(file: MultipartFile['file']): Promise<Buffer> {
  const bytes = new ByteCollector()
  for await (const piece of file as AsyncIterable<Buffer>) bytes.add(piece)
  if (file.truncated) throw tooLarge(bytes.length)
  return bytes.take()
}

function fromText(name: string, kind: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    // Python writes True.
    return parseField(kind === 'boolean' ? value.toLowerCase() : value)
  } catch {
    throw invalidField(
      name,
      'invalid_value',
      `Expected a value of type ${kind} for ${name} but received ${describeReceived(value)}`
    )
  }
}

function formFields(schema: z.ZodType): FormFields {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, { type?: string | string[]; anyOf?: { type?: string }[] }>
    required?: string[]
  }
  const kinds = Object.entries(properties).map(([name, { type, anyOf }]) => {
    const types = type === undefined ? (anyOf ?? []).map(each => each.type) : [type].flat()
    return [name, types.find(each => each !== undefined && each !== 'null') ?? 'string'] as const
  })
  return { kinds: new Map(kinds), required: new Set(required) }
}
