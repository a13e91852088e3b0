import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

/**
 * Tells a client that waits with its body (`Expect: 100-continue`) to go on only when nothing speaks against the request. Node
 * would tell it to before anybody has looked.
 */
export function addExpect(app: FastifyInstance): void {
  const waiting = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request)
    app.server.emit('request', request, response)
  })
  app.addHook('preParsing', async (request, reply) => {
    if (waiting.delete(request.raw)) reply.raw.writeContinue()
  })
  app.addHook('onSend', async (request, reply) => {
    // It may send the body or not: nobody knows where its next request begins.
    if (waiting.has(request.raw)) void reply.header('connection', 'close')
  })
}
