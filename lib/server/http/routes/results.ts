import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { IMAGE_FILES, sendFile } from '../image-reply.js'
import { linkEnded, type ResultLinks } from '../result-links.js'

const PARAMS = z.strictObject({
  id: z.uuid(),
  index: z.coerce.number().int().min(0).max(9999).describe('Which image of the job.')
})
const QUERY = z.strictObject({
  expires: z.coerce.number().int().min(0).describe('When the address ends, in seconds since 1970.'),
  signature: z.string().min(1).max(100)
})

/** The images that `response_format: "url"` leads to. */
export function addResults(app: FastifyInstance, links: ResultLinks): void {
  app.get(
    '/v1/results/:id/:index',
    {
      schema: { params: PARAMS, querystring: QUERY },
      config: {
        // The signature says that somebody with a key was given the address.
        auth: 'public',
        operation: {
          id: 'getImage',
          summary: 'An image that a reply gave the address of',
          tag: 'images',
          params: PARAMS,
          query: QUERY,
          replies: { 200: { description: 'The bytes of the image.', content: IMAGE_FILES } },
          errors: [400, 403, 410]
        }
      }
    },
    async (request, reply) => {
      const { id, index } = request.params as z.infer<typeof PARAMS>
      const { expires, signature } = request.query as z.infer<typeof QUERY>
      links.check(id, index, expires, signature)
      const result = await app.wuerstchen.jobs.result(id)
      if (result?.kind !== 'images' || result.images[index] === undefined) throw linkEnded()
      void reply
        // Whoever has the address may keep the image, but no cache that others share.
        .header('cache-control', `private, max-age=${Math.max(0, expires - Math.floor(Date.now() / 1000))}`)
        // Pages of other hosts show it: that is what addresses are for.
        .header('cross-origin-resource-policy', 'cross-origin')
      return sendFile(reply, result.images[index])
    }
  )
}
