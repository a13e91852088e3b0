import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context, Endpoint, ImageBody } from '../../api/endpoint.js'
import type { Fields } from '../../api/fields.js'
import { decodeEndpoint } from '../../api/decode.js'
import { imageEvents, type StreamName } from '../../api/events.js'
import { imageEndpoints } from '../../api/images.js'
import { IMAGES_REPLY } from '../../api/replies.js'
import { resultOf } from '../../api/statuses.js'
import { IDEMPOTENCY_HEADERS } from '../idempotency-key.js'
import { expectForm, IMAGE_FILES, sendImages, wantedForm } from '../image-reply.js'
import { sendEvents } from '../sse.js'
import { keptView, type ResultLinks } from '../result-links.js'
import { submitWork } from '../submit.js'

const STREAMS: Record<string, StreamName> = {
  generations: 'image_generation',
  edits: 'image_edit',
  variations: 'image_variation',
  decode: 'image_generation'
}

/** The routes that make images: OpenAI's, and the one that decodes embeddings. */
export function addImages(app: FastifyInstance, fields: Fields, context: Context, links: ResultLinks): void {
  for (const endpoint of imageEndpoints(fields, 'stream')) addImageRoute(app, endpoint, context, links)
  addImageRoute(app, decodeEndpoint(fields, 'stream'), context, links)
}

function addImageRoute(app: FastifyInstance, endpoint: Endpoint<ImageBody>, context: Context, links: ResultLinks): void {
  const name = endpoint.path.split('/').at(-1)!
  app.post(
    endpoint.path,
    {
      schema: { body: endpoint.schema },
      config: {
        auth: 'use',
        work: true,
        form: true,
        operation: {
          id: name,
          summary: endpoint.summary,
          tag: 'images',
          headers: IDEMPOTENCY_HEADERS,
          body: { schema: endpoint.schema, multipart: true },
          replies: {
            200: {
              description:
                'The images as JSON; with stream as events, whose data is a PartialImageEvent or a CompletedEvent; with Accept: image/… the bytes of the one image.',
              content: { 'application/json': IMAGES_REPLY, 'text/event-stream': 'text', ...IMAGE_FILES }
            }
          },
          errors: [400, 404, 406, 409, 413, 415, 422, 429, 503, 504]
        }
      }
    },
    async (request: FastifyRequest, reply: FastifyReply) => {
      const body = request.body as ImageBody
      const form = body.stream === true ? 'json' : wantedForm(request, body.output_format)
      const asked = form === 'json' ? body : { ...body, output_format: form }
      const work = await endpoint.toWork(asked, context)
      expectForm(form, work.images)
      const linked = form === 'json' && work.reply?.links === true
      const submitted = await submitWork(
        app.wuerstchen,
        request,
        reply,
        { body: asked, terms: asked, work },
        { keep: linked, untilGone: true }
      )
      if (body.stream === true) return sendEvents(reply, signal => imageEvents(submitted, STREAMS[name]!, signal))
      const result = resultOf(await submitted.outcome())
      if (result.kind !== 'images') throw new Error('Images were asked for, and embeddings came')
      const { jobs } = app.wuerstchen
      const urls = linked ? await links.of(request, jobs, await keptView(jobs, submitted.view.id)) : undefined
      return sendImages(reply, result, submitted.view, form, urls)
    }
  )
}
