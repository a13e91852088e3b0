import { connect, createServer } from 'node:net'

/** What is between processes and their queue: it can be cut. */
export class Network {
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set()
  /** @type {import('node:net').Server} */
  #server
  #url

  /** @param {string} url of the queue */
  constructor(url) {
    this.#url = new URL(url)
    const port = Number(this.#url.port)
    this.#server = createServer(near => {
      const far = connect({ host: '127.0.0.1', port })
      for (const [socket, other] of [
        [near, far],
        [far, near]
      ]) {
        this.#sockets.add(/** @type {import('node:net').Socket} */ (socket))
        socket?.on('error', () => {})
        socket?.once('close', () => {
          this.#sockets.delete(/** @type {import('node:net').Socket} */ (socket))
          other?.destroy()
        })
      }
      near.pipe(far).pipe(near)
    })
  }

  /** @returns {Promise<string>} the address of the queue behind it */
  async open() {
    await new Promise(resolve => this.#server.listen(0, '127.0.0.1', () => resolve(undefined)))
    const url = new URL(this.#url)
    url.port = String(/** @type {import('node:net').AddressInfo} */ (this.#server.address()).port)
    return url.href
  }

  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  close() {
    this.#server.close()
    this.cut()
  }
}
