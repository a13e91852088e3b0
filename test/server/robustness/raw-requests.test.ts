import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ERROR_REPLY } from '../../../lib/server/api/replies.js'
import { untilJobs } from './support/idle.js'
import { withListening, type Listening } from './support/listening.js'
import { MALFORMED } from './support/malformed.js'
import { expectMemoryToSettle } from './support/memory.js'
import { exchange, seeded } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

const MIB = 1024 * 1024
const GOOD =
  'POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{"prompt":"x","prior_steps": 1}'

let server: Listening
let end: () => void
let closed: Promise<void>
beforeAll(
  () =>
    new Promise<void>(resolve => {
      closed = withListening({ limits: { maxSide: 128, maxBodyBytes: 16_384 } }, listening => {
        server = listening
        resolve()
        return new Promise<void>(done => {
          end = done
        })
      })
    })
)
afterAll(async () => {
  end()
  await closed
})

/** Whatever the server had to do is done: it has been round its event loop since, and runs nothing. */
async function quiet(): Promise<void> {
  await fetch(`${server.url}/livez`)
  await untilJobs(server.app)
  await fetch(`${server.url}/livez`)
}

/** What is still being written when the client ends the connection is cut off; such an exchange is made again, with patience. */
async function answered(pieces: (string | Buffer)[]) {
  const first = await exchange(server.port, pieces, quiet)
  return first.statuses.length > 0 ? first : exchange(server.port, pieces, () => sleep(PATIENCE_MS))
}
const PATIENCE_MS = 1000

const kinds = Object.entries(MALFORMED)
/** At least 500 in all; scripts/checks/attack-http.mjs makes it more. */
const EACH = Math.ceil(Number(process.env['WUERSTCHEN_RAW_CASES'] ?? 500) / kinds.length)
const ROUND = Math.ceil(500 / kinds.length)

/** Of docs/server.md, and those by which Node itself refuses what is no HTTP. */
const DOCUMENTED = new Set([200, 202, 400, 401, 403, 404, 405, 406, 408, 410, 413, 415, 417, 431])
/** No answer yet: the body may come. */
const INTERIM = 100

test.each(kinds)("%s: no failure of the server, and answers in the API's own form", async (_, malformed) => {
  for (let seed = 1; seed <= EACH; seed++) {
    const pieces = malformed(seeded(seed))
    const { statuses, text } = await answered(pieces)
    const about = `seed ${seed}: ${text.slice(0, 300)}`
    // Nobody is left to guess: whatever comes, something is said before the connection ends. Node itself ends CONNECT without a
    // word.
    if (!String(pieces[0]).startsWith('CONNECT ')) expect(statuses.length, about).toBeGreaterThan(0)
    expect(
      statuses.filter(status => !DOCUMENTED.has(status) && status !== INTERIM),
      about
    ).toEqual([])
    for (const [, body] of text.matchAll(/HTTP\/1\.1 4\d\d [^]*?\r\n\r\n([^]*?)(?=HTTP\/1\.1|$)/g)) {
      // Node itself answers what has no host, or expects something else than to go on, without a word.
      if (!['', '0\r\n\r\n'].includes(body!)) expect(() => ERROR_REPLY.parse(JSON.parse(body!)), about).not.toThrow()
    }
  }
  expect((await exchange(server.port, [GOOD])).statuses, 'the next request').toEqual([200])
})

test('their memory is given back', async () => {
  const all = async () => {
    for (const [, malformed] of kinds)
      for (let seed = 1; seed <= ROUND; seed++) await exchange(server.port, malformed(seeded(seed)), quiet)
  }
  // Half a thousand requests of up to 120 kB each: what they leave behind, if it were much, would be more than this.
  await expectMemoryToSettle({ heap: 16 * MIB, rss: 128 * MIB }, all)
  expect(engine.liveTensors.size).toBe(0)
  expect(await server.app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, inputBytes: 0 })
}, 300_000)

test('connections that send next to nothing keep nobody else waiting, and are gone with their clients', async () => {
  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    })
  const others = await connections()
  const slow: Socket[] = []
  const beginnings = ['', 'POST', GOOD.slice(0, 60), GOOD.slice(0, -1), 'GET /livez HTTP/1.1\r\nX-A: ']
  for (let index = 0; index < 200; index++) {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await new Promise(resolve => {
      socket.once('connect', resolve)
    })
    socket.write(beginnings[index % beginnings.length]!)
    slow.push(socket)
  }
  for (let count = 0; count < 5; count++) {
    // Another byte of each, as if there were all the time in the world.
    for (const socket of slow) socket.write(' ')
    expect((await exchange(server.port, [GOOD])).statuses).toEqual([200])
  }
  for (const socket of slow) socket.destroy()
  // A turn of the event loop each time: without one, nothing would ever close.
  while ((await connections()) > others)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  await untilJobs(server.app)
})

test('what leads nowhere, and who may not, is answered before the body is there', async () => {
  for (const [target, status] of [
    ['/v1/nothing', 404],
    ['/v1/models', 405],
    ['/livez', 405]
  ]) {
    const { statuses } = await exchange(
      server.port,
      [
        `POST ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"a":`
      ],
      quiet
    )
    expect([target, statuses]).toEqual([target, [status]])
  }
})

test('a server gives requests and their headers a time to arrive', () => {
  const { requestTimeout, headersTimeout } = server.app.server
  expect([requestTimeout, headersTimeout].every(ms => ms > 0 && ms <= 60_000)).toBe(true)
})
