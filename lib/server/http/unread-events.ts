import type { FastifyReply } from 'fastify'
import { LARGE } from './reply-bytes.js'

/**
 * Counts the large events of one stream among the bytes that are held. One job can have any number of listeners, and each that
 * does not read has a copy of its own of what was sent to it.
 */
export class UnreadEvents {
  readonly #reply: FastifyReply
  #taken = () => {}
  #isTaken: Promise<void> | undefined

  constructor(reply: FastifyReply) {
    this.#reply = reply
  }

  /** @throws WuerstchenError QUEUE_FULL where there is no room for so many more bytes */
  add(bytes: number): void {
    const { raw, over, request, server } = this.#reply
    if (raw.writableLength === 0) this.#settle()
    if (bytes < LARGE) return
    const { held } = server.wuerstchen
    const owner = request.caller!.name
    held.expectRoom(owner, bytes)
    this.#isTaken ??= new Promise(resolve => {
      this.#taken = resolve
    })
    held.count(owner, bytes, Promise.race([this.#isTaken, over]))
  }

  /** The connection has taken everything. */
  #settle(): void {
    this.#taken()
    this.#isTaken = undefined
  }
}
