import type { FastifyInstance } from 'fastify'
import { heartPicture, resultOf, withFakeServer, type FakeBackend } from '../fake-backend.js'

export const KEY = 'key-0123456789abcdef'

export interface Served {
  url: string
  app: FastifyInstance
  backend: FakeBackend
}

/** A server as a client's user would start it: with a key, and the names of models that clients have built in. */
export function served<T>(body: (server: Served) => Promise<T>): Promise<T> {
  const aliases = { 'dall-e-2': 'tiny', 'dall-e-3': 'tiny', 'gpt-image-1': 'tiny' }
  return withFakeServer({ apiKeys: [`clients:${KEY}`], aliases }, async (app, backend) => {
    // Some clients decode what they get.
    backend.run = async ({ name }, work, signal, emit) => {
      const result = resultOf(work)
      backend.runs.push({ model: name, work, signal, emit, finish: () => {}, fail: () => {} })
      if (result.kind !== 'images') return result
      return { ...result, images: result.images.map(image => ({ ...image, file: PICTURE })) }
    }
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      return await body({ url, app, backend })
    } finally {
      app.server.closeAllConnections()
    }
  })
}

/** What this server draws. */
export const PICTURE = await heartPicture()
export const DRAWN = PICTURE.toString('base64')

/** Whether an address leads to that, as a browser would ask for it. */
export async function leadsToPicture(url: string | undefined): Promise<boolean> {
  const reply = await fetch(url!)
  return reply.ok && PICTURE.equals(Buffer.from(await reply.arrayBuffer()))
}
