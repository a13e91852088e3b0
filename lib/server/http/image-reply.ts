import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ImageFormat } from '../../index.js'
import { FORMAT_NAMES, FORMATS } from '../../internal.js'
import { ApiError, invalidField } from '../api/error.js'
import { imagesReply } from '../api/replies.js'
import type { JobView } from '../jobs/store.js'
import type { JobImage, JobResult } from '../jobs/work.js'

type Images = Extract<JobResult, { kind: 'images' }>

/** What a client wants back: JSON, or the one image's bytes. */
export type Form = 'json' | ImageFormat

/** The content types of image files, for the OpenAPI document. */
export const IMAGE_FILES = Object.fromEntries(FORMAT_NAMES.map(format => [FORMATS[format].mime, 'binary' as const]))

/**
 * What the header Accept asks for. No word about it means JSON.
 * @param format the file format that the images have; any of them where it is left out
 * @throws ApiError 406 for anything else
 */
export function wantedForm(request: FastifyRequest, format: ImageFormat | null | undefined): Form {
  const formats = format === undefined || format === null ? FORMAT_NAMES : [format]
  const offered = ['application/json', ...formats.map(each => FORMATS[each].mime)]
  const type = request.accepts().type(offered)
  if (type === false)
    throw new ApiError({ status: 406, code: 'not_acceptable' }, `Expected one of ${offered.join(', ')} in the header Accept`)
  return formats.find(each => FORMATS[each].mime === type) ?? 'json'
}

/** @throws ApiError 400 for several images as bytes */
export function expectForm(form: Form, images: number): void {
  if (form !== 'json' && images !== 1)
    throw invalidField('n', 'invalid_value', 'Expected one image for n, for the header Accept asks for its bytes')
}

/**
 * The images as JSON, or the first one as it is; what JSON would say of it is in headers and in its metadata.
 * @param urls where each image is, if JSON is to have addresses
 */
export function sendImages(
  reply: FastifyReply,
  result: Images,
  job: Pick<JobView, 'model' | 'reply' | 'endedAt'>,
  form: Form,
  urls?: readonly string[]
): FastifyReply {
  const { queued, total, ...stages } = result.timings
  const timing = Object.entries({ queued, ...stages, total }).map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`)
  void reply.header('server-timing', timing.join(', '))
  if (form === 'json') return reply.send(imagesReply(result, job, urls))
  return sendFile(reply.header('x-wuerstchen-model', job.model), result.images[0]!)
}

/** The bytes of one image. */
export function sendFile(reply: FastifyReply, { file, format, seed }: JobImage): FastifyReply {
  return reply
    .header('x-wuerstchen-seed', seed)
    .header('content-disposition', `inline; filename="wuerstchen-${seed}.${format}"`)
    .type(FORMATS[format].mime)
    .send(file)
}
