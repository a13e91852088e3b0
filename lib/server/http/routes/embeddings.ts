import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import type { Context } from '../../api/endpoint.js'
import { embeddingsEndpoint, embeddingsReply } from '../../api/embeddings.js'
import type { Fields } from '../../api/fields.js'
import { EMBEDDINGS_REPLY } from '../../api/replies.js'
import { resultOf } from '../../api/statuses.js'
import { IDEMPOTENCY_HEADERS } from '../idempotency-key.js'
import { submitWork } from '../submit.js'

/** Prompts and images to embeddings. The way from there to images is in images.ts. */
export function addEmbeddings(app: FastifyInstance, fields: Fields, context: Context): void {
  const { path, schema, summary, toWork } = embeddingsEndpoint(fields)
  app.post(
    path,
    {
      schema: { body: schema },
      config: {
        auth: 'use',
        work: true,
        form: true,
        operation: {
          id: 'embed',
          summary,
          tag: 'embeddings',
          headers: IDEMPOTENCY_HEADERS,
          body: { schema, multipart: true },
          replies: { 200: { description: 'The embeddings.', content: { 'application/json': EMBEDDINGS_REPLY } } },
          errors: [400, 404, 409, 413, 415, 422, 429, 503, 504]
        }
      }
    },
    async (request, reply) => {
      const body = request.body as z.infer<typeof schema>
      const work = await toWork(body, context)
      const submitted = await submitWork(app.wuerstchen, request, reply, { body, terms: body, work })
      const result = resultOf(await submitted.outcome())
      if (result.kind !== 'embeddings') throw new Error('Embeddings were asked for, and images came')
      return embeddingsReply(result, submitted.view, body.encoding_format === 'float')
    }
  )
}
