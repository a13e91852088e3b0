import type { FastifyInstance } from 'fastify'

/**
 * Takes the content type from requests that have no body. Many clients send it with every request, a DELETE too, and Fastify
 * would read an empty body as JSON, which it is not.
 */
export function addEmptyBodies(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }) => {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers
    if (encoding === undefined && Number(length) === 0) delete headers['content-type']
  })
}
