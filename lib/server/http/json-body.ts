import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { JsonCheck, parseJson, type JsonBounds } from '../../files/json.js'
import { ApiError } from '../api/error.js'
import type { Limits } from '../limits.js'
import { decodeBase64 } from './base64.js'
import { bytesOfText, bytesWithoutFiles } from './body-limits.js'
import { ByteCollector } from './byte-collector.js'

/** More than any request has: the longest list is one of seeds. */
const BODY_BOUNDS: JsonBounds = { depth: 16, values: 8192, items: 4096 }

/** Shorter strings are texts to `JSON.parse`, files too. */
const LEAST_FILE_BYTES = 64 * 1024

/**
 * Reads bodies of JSON. A large one that is made for it blocks `JSON.parse`, and what checks its value, for many seconds, and
 * takes a hundred times its size. So bounds are checked while it comes, and files are decoded from the bytes, slice by slice:
 * what is left for `JSON.parse` is short.
 */
export function addJsonBody(app: FastifyInstance, limits: Limits): void {
  // Longer strings are files, in routes that have files: no text may be so long.
  const fileBytes = Math.max(LEAST_FILE_BYTES, bytesOfText(limits))
  const longest = bytesWithoutFiles(limits) + 2 * fileBytes
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: Readable) => {
    const check = new JsonCheck(BODY_BOUNDS, request.routeOptions.config.files === true ? fileBytes : Infinity)
    const bytes = await readBytes(request, payload, piece => check.push(piece)).catch((error: unknown) => {
      throw error instanceof SyntaxError ? unreadable(error) : error
    })
    // In chunks, which say too late that there are none; else the content type is gone (empty-body.ts).
    if (bytes.length === 0) return undefined
    return parse(bytes, check, longest)
  })
}

/**
 * @param look sees every piece as it comes, and may throw
 * @throws ApiError 413 for more than the route takes; WuerstchenError QUEUE_FULL where there is no room; what `look` throws
 */
function readBytes(request: FastifyRequest, payload: Readable, look: (piece: Buffer) => void): Promise<Buffer> {
  const { charge } = request
  const most = request.routeOptions.bodyLimit
  // Admission has taken it for true, so it is bounded.
  const bytes = new ByteCollector(charge === null ? 0 : charge.bytes)
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      payload.off('data', onData).off('end', onEnd).off('error', onError).on('error', ignore)
      end()
    }
    const onError = (error: unknown) => settle(() => reject(error as Error))
    const onEnd = () => settle(() => resolve(bytes.take()))
    const onData = (piece: Buffer) => {
      try {
        if (bytes.length + piece.length > most) throw tooLarge(most)
        charge?.growTo(bytes.length + piece.length)
        look(piece)
        bytes.add(piece)
      } catch (error) {
        // What still comes is read, and forgotten, by Node.
        onError(error)
      }
    }
    payload.on('data', onData).on('end', onEnd).on('error', onError)
  })
}

const ignore = () => {}

export function tooLarge(most: number): ApiError {
  return new ApiError({ status: 413, code: 'request_too_large' }, `Expected a body of at most ${most} bytes`)
}

function unreadable(cause: SyntaxError): ApiError {
  return new ApiError({ status: 400, code: 'bad_request' }, 'The request cannot be read', { cause })
}

async function parse(bytes: Buffer, { long }: JsonCheck, longest: number): Promise<unknown> {
  // Nobody can guess it, so no string of the client is taken for one.
  const mark = randomUUID()
  const files: Buffer[] = []
  let [text, at] = ['', 0]
  for (const { start, end } of long) {
    if (isKey(bytes, end)) throw unreadable(new SyntaxError('a key is as long as a file'))
    // What is no base64 is refused where the field is known.
    const index = files.push((await decodeBase64(bytes.subarray(start, end))) ?? Buffer.alloc(0)) - 1
    text += `${bytes.toString('utf8', at, start)}${mark}${index}`
    at = end
  }
  if (text.length + bytes.length - at > longest) throw tooLarge(longest)
  text += bytes.toString('utf8', at)
  try {
    // A mark of byte order is no JSON, and some clients send one.
    const value = JSON.parse(text.replace(/^\uFEFF/, '')) as unknown
    expectPlainKeys(value)
    return files.length === 0 ? value : withFiles(value, mark, files)
  } catch (error) {
    throw unreadable(error as SyntaxError)
  }
}

function isKey(bytes: Buffer, quote: number): boolean {
  let at = quote + 1
  while ([0x20, 0x09, 0x0a, 0x0d].includes(bytes[at]!)) at++
  return bytes[at] === 0x3a
}

/** Keys that would lead whoever copies the value to the prototypes of all objects. */
function expectPlainKeys(value: unknown): void {
  if (value === null || typeof value !== 'object') return
  if (Object.hasOwn(value, '__proto__')) throw new SyntaxError('it names a prototype')
  for (const each of Object.values(value)) expectPlainKeys(each)
}

function withFiles(value: unknown, mark: string, files: readonly Buffer[]): unknown {
  if (typeof value === 'string') return value.startsWith(mark) ? files[Number(value.slice(mark.length))] : value
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(each => withFiles(each, mark, files))
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withFiles(each, mark, files)]))
}

/**
 * The JSON of one field of a form.
 * @throws SyntaxError
 */
export function parseField(text: string): unknown {
  return parseJson(text, BODY_BOUNDS)
}
