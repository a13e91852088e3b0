import type { FastifyReply, FastifyRequest } from 'fastify'
import { FORMAT_NAMES, FORMATS, type ImageFormat } from '../../image/formats.js'
import { ApiError, invalidField } from '../api/error.js'
import { imagesReply } from '../api/replies.js'
import type { JobResult } from '../jobs/work.js'

type Images = Extract<JobResult, { kind: 'images' }>

const TYPES = FORMAT_NAMES.map(format => FORMATS[format].mime)

/**
 * What the client wants back: JSON, which is also meant by no word about it, or the one picture's bytes.
 * @throws ApiError 406 for anything else, 400 for several pictures as bytes
 */
export function wantedForm(
  request: FastifyRequest,
  format: ImageFormat | null | undefined,
  images: number
): 'json' | ImageFormat {
  const offered = format === undefined || format === null ? TYPES : [`image/${format}`]
  const type = request.accepts().type(['application/json', ...offered])
  if (type === false)
    throw new ApiError(
      { status: 406, code: 'not_acceptable' },
      `Expected one of ${['application/json', ...offered].join(', ')} in the header Accept`
    )
  if (type === 'application/json') return 'json'
  if (images !== 1)
    throw invalidField('n', 'invalid_value', 'Expected one picture for n, for the header Accept asks for its bytes')
  return FORMAT_NAMES.find(each => FORMATS[each].mime === type)!
}

/** The pictures as JSON, or the first one as it is; what JSON would say of it is in headers and in its metadata. */
export function sendImages(reply: FastifyReply, result: Images, model: string, form: 'json' | 'file'): FastifyReply {
  const { queued, total, ...stages } = result.timings
  const timing = Object.entries({ queued, ...stages, total }).map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`)
  void reply.header('server-timing', timing.join(', '))
  if (form === 'json') return reply.send(imagesReply(result, model))
  const [{ file, format, seed }] = result.images as [Images['images'][number]]
  return reply
    .header('x-wuerstchen-seed', seed)
    .header('x-wuerstchen-model', model)
    .header('content-disposition', `inline; filename="wuerstchen-${seed}.${format}"`)
    .type(`image/${format}`)
    .send(file)
}
