import { connect } from 'node:net'

/** What came back over a connection: the status of every reply, and all bytes. */
export interface Exchange {
  statuses: number[]
  text: string
}

/** More than any answer of these tests takes on a busy machine: who gets here, hangs. */
const HANGS_MS = 30_000

/**
 * Writes bytes to a server, as they are, and reads until the connection is closed: by the server, or else from here once
 * `quiet` has resolved, which is when the server has done whatever it is going to do.
 * @throws Error where that does not happen at all
 */
export function exchange(
  port: number,
  pieces: readonly (string | Buffer)[],
  quiet: () => Promise<void> = () => new Promise(() => {})
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`Nothing happened after ${JSON.stringify(String(pieces[0]).slice(0, 200))}`))
    }, HANGS_MS)
    socket.setNoDelay()
    socket.on('data', chunk => chunks.push(chunk))
    // A server may close while the request still comes: that is an answer, too.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      const text = Buffer.concat(chunks).toString('latin1')
      resolve({ text, statuses: [...text.matchAll(/(?:^|\n|\})HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)) })
    })
    write(0)

    function write(index: number): void {
      if (index === pieces.length) return void quiet().then(() => socket.end(), reject)
      const piece = pieces[index]!
      socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, () => setImmediate(() => write(index + 1)))
    }
  })
}

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296
  }
}

export function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}
