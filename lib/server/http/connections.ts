import { Server as NetServer, type Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

/** What is known of a connection. */
interface Traffic {
  /** Requests whose replies, or bodies, are not over. */
  open: number
  /** What had been read when the last request was over: more than that is the begin of another. */
  read: number
}

/**
 * The connections of a server of our own, which ends without cutting off an answer.
 *
 * Node's `server.close()` destroys connections whose reply has been handed over but not sent yet, and stops the timers that end
 * half-sent requests. So this closes the listening socket alone, and every connection when nothing more is to be sent over it.
 */
export class Connections {
  readonly #server: Server
  readonly #sockets = new Map<Socket, Traffic>()
  #ending = false
  #emptied = () => {}

  constructor(server: Server) {
    this.#server = server
    // Requests come over what TLS makes of a connection; what is below is known only for the end.
    for (const event of ['connection', 'secureConnection']) server.on(event, (socket: Socket) => this.#add(socket))
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#follow(request, response))
  }

  /** Refuses new connections and closes those that are idle. The others are closed when their last reply has been sent. */
  end(): void {
    this.#ending = true
    // Bun's server of HTTP is none of TCP, whatever the types say.
    const isTcp: boolean = this.#server instanceof NetServer
    if (isTcp) NetServer.prototype.close.call(this.#server)
    else this.#server.close()
    for (const [socket, traffic] of this.#sockets) if (isIdle(socket, traffic)) socket.destroy()
  }

  /** Resolves when no connection is left. */
  async ended(): Promise<void> {
    if (this.#sockets.size > 0)
      await new Promise<void>(resolve => {
        this.#emptied = resolve
      })
  }

  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy()
  }

  #add(socket: Socket): void {
    this.#sockets.set(socket, { open: 0, read: 0 })
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) this.#emptied()
    })
  }

  #follow(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const traffic = this.#sockets.get(socket)
    if (traffic === undefined) return
    traffic.open++
    const over = () => {
      traffic.open--
      traffic.read = socket.bytesRead
      if (this.#ending && traffic.open === 0) socket.destroySoon()
    }
    // Node reads the rest of a body that nobody wanted. A connection that is closed before loses the reply on its way.
    response.once('close', () => (request.complete ? over() : request.once('close', over)))
  }
}

function isIdle({ bytesRead }: Socket, { open, read }: Traffic): boolean {
  return open === 0 && bytesRead === read
}
