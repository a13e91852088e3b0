import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'

declare module 'fastify' {
  interface FastifyReply {
    /** Resolves once the reply is over: all of it was sent, or its client left before. */
    over: Promise<'sent' | 'gone'>
  }
}

/** A client that reads nothing of its reply for so long loses it: else it would be held for ever. */
const UNREAD_MS = 120_000

/** The replies of the server that are not over. */
export class OpenReplies {
  readonly #open = new Set<FastifyReply>()
  readonly #ends = new SocketEnds()
  #ending = false
  #settled = () => {}

  get ending(): boolean {
    return this.#ending
  }

  /** Sets `reply.over`. */
  follow(reply: FastifyReply): void {
    const { raw } = reply
    const { socket } = reply.request.raw
    // Hooks of an application around can take so long that the client has left, of which nobody would hear any more.
    if (raw.closed || socket.closed) {
      reply.over = Promise.resolve('gone')
      return
    }
    this.#open.add(reply)
    reply.over = new Promise(resolve => {
      const end = () => {
        forget()
        this.#open.delete(reply)
        if (this.#open.size === 0) this.#settled()
        resolve(raw.writableFinished ? 'sent' : 'gone')
      }
      raw.once('close', end)
      // The reply to a request that was sent behind another one has no connection yet, and does not hear of its end.
      const forget = this.#ends.listen(socket, end)
    })
  }

  /** Tells clients from now on that their connection ends, and resolves when all replies are over. */
  async settled(): Promise<void> {
    this.#ending = true
    if (this.#open.size > 0)
      await new Promise<void>(resolve => {
        this.#settled = resolve
      })
  }

  /** Ends the connections of all replies that are not over. */
  cut(): void {
    for (const { request } of this.#open) request.raw.socket.destroy()
  }
}

/** Listens for the end of every reply. Whoever has to let go of something then awaits `reply.over`. */
export function addReplyEnd(app: FastifyInstance): OpenReplies {
  const replies = new OpenReplies()
  app.decorateReply('over')
  app.addHook('onRequest', async (_, reply) => replies.follow(reply))
  app.addHook('onSend', async (request, reply) => {
    reply.raw.setTimeout(UNREAD_MS, () => request.raw.socket.destroy())
    // Not while the body still comes: Node would end the connection under it, and the client would not read the reply. What
    // comes is thrown away, and has to end in time as every request has.
    if (!request.raw.complete) reply.removeHeader('connection')
    else if (replies.ending) void reply.header('connection', 'close')
  })
  return replies
}

/** Tells of the ends of sockets, with one listener each: hundreds of requests can be open on one. */
class SocketEnds {
  readonly #listeners = new WeakMap<Socket, Set<() => void>>()

  /** @returns what ends the listening */
  listen(socket: Socket, listener: () => void): () => void {
    let listeners = this.#listeners.get(socket)
    if (listeners === undefined) {
      const all = new Set<() => void>()
      socket.once('close', () => {
        for (const each of all) each()
      })
      this.#listeners.set(socket, (listeners = all))
    }
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
}
