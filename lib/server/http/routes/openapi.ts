import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { describeRoutes, type DocumentedRoute } from '../openapi.js'

/** The OpenAPI document; it says nothing that a reader of the documentation does not know, but for limits and names of models. */
export function addOpenapi(app: FastifyInstance, documented: readonly DocumentedRoute[]): void {
  let document: object | undefined
  app.get(
    '/openapi.json',
    {
      config: {
        auth: 'public',
        operation: {
          id: 'openapi',
          summary: 'This document',
          tag: 'about',
          replies: {
            200: { description: 'OpenAPI 3.1.', content: { 'application/json': z.looseObject({ openapi: z.string() }) } }
          }
        }
      }
    },
    async () => (document ??= describeRoutes(documented))
  )
}
