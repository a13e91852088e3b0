import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyReply {
    /** Resolves once the reply is over: all of it was sent, or its client left before. */
    over: Promise<'sent' | 'gone'>
  }
}

/** Listens for the end of every reply. Whoever has to let go of something then awaits `reply.over`. */
export function addReplyEnd(app: FastifyInstance): void {
  app.decorateReply('over')
  app.addHook('onRequest', async (_, reply) => {
    reply.over = new Promise(resolve => {
      reply.raw.once('close', () => resolve(reply.raw.writableFinished ? 'sent' : 'gone'))
    })
  })
}
