import { z } from 'zod'
import { FORMAT_NAMES, PARAMETERS } from '../../internal.js'
import type { JobView } from '../jobs/store.js'
import type { JobImage, JobResult, ReplyTerms } from '../jobs/work.js'
import { REPLIED_QUALITY } from './quality.js'

/** What the server answers. One schema each, for the OpenAPI document and for the types of what is sent. */

const SECONDS = z.int().describe('Seconds since 1970.')
const FILE = {
  output_format: z.enum(FORMAT_NAMES),
  size: z.string().describe('WIDTHxHEIGHT in pixels.'),
  background: z.literal('opaque')
}
const SEED = z.int().min(0)

export const ERROR_REPLY = z.object({
  error: z.object({
    message: z.string(),
    type: z.enum(['invalid_request_error', 'authentication_error', 'permission_error', 'rate_limit_error', 'server_error']),
    param: z.string().nullable().describe('The field that is meant.'),
    code: z.string()
  })
})

const FILE_TEXT = z.string().describe('The file, in base64. Its metadata has the parameters too.')
const MADE = {
  seed: SEED,
  parameters: PARAMETERS.describe("Everything that made the image, as the library and the file's metadata name it.")
}

const IGNORED = z.array(z.string()).describe('Fields of the request that change nothing here.')

/** Nothing is paid for by tokens. OpenAI's typed clients read these fields all the same. */
const USAGE = z
  .object({
    input_tokens: z.literal(0),
    input_tokens_details: z.object({ image_tokens: z.literal(0), text_tokens: z.literal(0) }),
    output_tokens: z.literal(0),
    total_tokens: z.literal(0)
  })
  .describe('There are no tokens to pay for.')
const NO_USAGE: z.infer<typeof USAGE> = {
  input_tokens: 0,
  input_tokens_details: { image_tokens: 0, text_tokens: 0 },
  output_tokens: 0,
  total_tokens: 0
}

export const IMAGES_REPLY = z.object({
  created: SECONDS,
  ...FILE,
  model: z.string(),
  data: z.array(
    z.object({
      b64_json: FILE_TEXT.optional(),
      url: z.url().optional().describe('Where the file is for a while, with response_format "url" instead of b64_json.'),
      ...MADE
    })
  ),
  ignored: IGNORED,
  quality: REPLIED_QUALITY,
  usage: USAGE,
  timings: z.record(z.string(), z.number()).describe('Milliseconds of wall time, queued and in each stage.'),
  cut: z
    .array(z.object({ text: z.string(), encoder: z.enum(['prior', 'decoder']), removed: z.string() }))
    .describe('Texts that were too long, and what was cut off them.')
})

const eventFields = {
  ...FILE,
  created_at: SECONDS,
  quality: REPLIED_QUALITY,
  image_index: z.int().min(0).describe('Which image of the request.')
}

export const PARTIAL_IMAGE = z.object({
  type: z.enum(['image_generation.partial_image', 'image_edit.partial_image', 'image_variation.partial_image']),
  b64_json: z.string(),
  partial_image_index: z.int().min(0).describe('Counts the previews of an image.'),
  ...eventFields
})
export const COMPLETED = z.object({
  type: z.enum(['image_generation.completed', 'image_edit.completed', 'image_variation.completed']),
  b64_json: FILE_TEXT,
  ...MADE,
  ignored: IGNORED,
  usage: USAGE,
  ...eventFields
})

export const EMBEDDINGS_REPLY = z.object({
  object: z.literal('list'),
  model: z.string(),
  data: z.string().describe('A safetensors file in base64: the tensor "embeddings", and in its metadata what it was made from.'),
  shape: z.array(z.int()).length(4).describe('[images, 16, grid height, grid width], float32.'),
  values: z.array(z.number()).optional().describe('The tensor\'s numbers row by row, with encoding_format "float".'),
  seeds: z.array(SEED.nullable()).describe('One an embedding; null for those of real images.'),
  ignored: IGNORED
})

export type ImagesReply = z.infer<typeof IMAGES_REPLY>
type Images = Extract<JobResult, { kind: 'images' }>

export function seconds(ms: number = Date.now()): number {
  return Math.floor(ms / 1000)
}

/** Bytes that came from another process are no Buffer. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

export function fileFacts({ format, width, height }: Pick<JobImage, 'format' | 'width' | 'height'>) {
  return { output_format: format, size: `${width}x${height}`, background: 'opaque' as const }
}

export function madeFacts({ seed, parameters }: JobImage) {
  return { seed, parameters: parameters as z.infer<typeof PARAMETERS> }
}

/** What every image and every reply with images ends with. */
export function replyFacts({ ignored, quality }: ReplyTerms) {
  return { ignored: [...ignored], quality, usage: NO_USAGE }
}

/** @param urls where each image is, if the reply is to have addresses and not the images */
export function imagesReply(
  { images, timings, cut }: Images,
  { model, reply, endedAt }: Pick<JobView, 'model' | 'reply' | 'endedAt'>,
  urls?: readonly string[]
): ImagesReply {
  return {
    // The same whenever a kept result is asked for.
    created: seconds(endedAt ?? Date.now()),
    ...fileFacts(images[0]!),
    model,
    data: images.map((image, index) => ({
      ...(urls === undefined ? { b64_json: base64(image.file) } : { url: urls[index]! }),
      ...madeFacts(image)
    })),
    ...replyFacts(reply),
    timings: { ...timings },
    cut
  }
}
