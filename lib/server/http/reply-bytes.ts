import type { FastifyInstance } from 'fastify'
import type { Service } from '../service.js'

/** Smaller replies are small beside the connection itself. */
export const LARGE = 64 * 1024

/**
 * Counts replies among the bytes that are held until they have been sent: whoever reads slowly keeps them. What can be asked for
 * again is refused where there is no room for it; the reply to work is not, for it would be lost.
 */
export function addReplyBytes(app: FastifyInstance, { held }: Service): void {
  app.addHook('onSend', async (request, reply, payload) => {
    const owner = request.caller?.name
    if (owner === undefined || (typeof payload !== 'string' && !Buffer.isBuffer(payload)) || payload.length < LARGE)
      return payload
    // As a string it would be in memory twice while it is sent.
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (request.method === 'GET') held.expectRoom(owner, bytes.length)
    held.count(owner, bytes.length, reply.over)
    return bytes
  })
}
