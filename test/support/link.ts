import { connect, createServer, type Socket } from 'node:net'

/** What a network does between a process and its database: each connection goes through here. */
export class Link {
  /** The port that connections go to that are made from now on. */
  target: number
  /** Bytes a second that each connection brings back. */
  rate = Infinity
  readonly #pairs = new Set<{ near: Socket; far: Socket; dead: boolean }>()
  readonly #server = createServer(near => this.#join(near))

  private constructor(target: number) {
    this.target = target
  }

  /** @param url of a database of this machine */
  static async to(url: string): Promise<{ link: Link; url: string }> {
    const address = new URL(url)
    const link = new Link(Number(address.port))
    await new Promise<void>(resolve => link.#server.listen(0, '127.0.0.1', resolve))
    address.port = String((link.#server.address() as { port: number }).port)
    return { link, url: address.href }
  }

  /** Connections that are there bring nothing any more and stay open, as those to a machine that is gone. */
  forget(): void {
    for (const pair of this.#pairs) pair.dead = true
  }

  close(): void {
    this.#server.close()
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy()
  }

  #join(near: Socket): void {
    const pair = { near, far: connect(this.target, '127.0.0.1'), dead: false }
    this.#pairs.add(pair)
    for (const [from, to] of [
      [near, pair.far],
      [pair.far, near]
    ] as const) {
      from.on('error', () => {})
      from.on('close', () => pair.dead || to.destroy())
      from.on('data', bytes => {
        if (pair.dead) return
        to.write(bytes)
        if (from === near || this.rate === Infinity) return
        from.pause()
        setTimeout(() => from.resume(), (bytes.length / this.rate) * 1000)
      })
    }
  }
}
