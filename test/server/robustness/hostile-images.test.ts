import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ERROR_REPLY } from '../../../lib/server/api/replies.js'
import { untilJobs } from './support/idle.js'
import { withListening } from './support/listening.js'
import { BOMBS, mutate, soundImages } from './support/hostile-images.js'
import { expectMemoryToSettle, expectNothingHeld } from './support/memory.js'
import { seeded } from './support/raw.js'
import { SteppingEngine } from './support/stepping-engine.js'

const engine = new SteppingEngine()
vi.mock('../../../lib/load/addon.js', () => ({ loadAddon: () => engine.native, loadedAddon: () => engine.native }))

const MIB = 1024 * 1024
/** At least; scripts/checks/attack-http.mjs makes it more. */
const MUTATED = Number(process.env['WUERSTCHEN_IMAGE_CASES'] ?? 300)
/** On a machine that has nothing else to do a refusal takes less than 100 ms. */
const REFUSED_MS = 10_000
const refusals: number[] = []
/**
 * A picture of the largest size that is taken, decoded and copied twice, is 3 · 100 MiB; what is refused leaves next to
 * nothing.
 */
const FOR_REFUSED = { heap: 32 * MIB, rss: 64 * MIB }

let app: FastifyInstance
let end: () => void
let closed: Promise<void>
beforeAll(
  () =>
    new Promise<void>(resolve => {
      closed = withListening({ limits: { maxSide: 256, resultTtlSeconds: 1 } }, server => {
        app = server.app
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
  const sorted = refusals.sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(0)
  console.log(`${sorted.length} refusals took ${at(0.5)} ms (half), ${at(0.99)} ms (99 %), ${at(1)} ms (all)`)
})

const STEPS = { prior_steps: 1, decoder_steps: 1 }

interface Sent {
  method: 'POST'
  url: string
  payload: object | Buffer
  headers?: Record<string, string>
}

/** Everything that takes a picture: as base64 in JSON, as a form, as the picture and as the mask. */
const WAYS: Readonly<Record<string, (bytes: Buffer | string, sound: Buffer) => Sent>> = {
  edits: bytes => json('/v1/images/edits', { image: encoded(bytes), prompt: 'x', ...STEPS }),
  masks: (bytes, sound) =>
    json('/v1/images/edits', { image: encoded(sound), mask: encoded(bytes), mask_changes: 'white', prompt: 'x', ...STEPS }),
  'masks by transparency': (bytes, sound) =>
    json('/v1/images/edits', { image: encoded(sound), mask: encoded(bytes), prompt: 'x', ...STEPS }),
  variations: bytes => form('/v1/images/variations', bytes),
  embeddings: bytes => json('/v1/image-embeddings', { image: encoded(bytes) }),
  jobs: bytes => json('/v1/jobs', { endpoint: '/v1/images/variations', body: { image: encoded(bytes), ...STEPS } }),
  'embeddings to decode': bytes => json('/v1/image-embeddings/decode', { embeddings: encoded(bytes) })
}

const encoded = (bytes: Buffer | string) => (typeof bytes === 'string' ? bytes : bytes.toString('base64'))
const json = (url: string, payload: object) => ({ method: 'POST' as const, url, payload })

function form(url: string, bytes: Buffer | string) {
  const fields = Object.entries(STEPS)
    .map(([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('')
  const payload = Buffer.concat([
    Buffer.from(
      `${fields}--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n`
    ),
    Buffer.from(bytes),
    Buffer.from('\r\n--b--\r\n')
  ])
  return { method: 'POST' as const, url, payload, headers: { 'content-type': 'multipart/form-data; boundary=b' } }
}

async function send(way: keyof typeof WAYS, bytes: Buffer | string, sound: Buffer, about: string): Promise<number> {
  const request = WAYS[way]!(bytes, sound)
  const started = performance.now()
  const { statusCode, body } = await app.inject(request)
  const ms = performance.now() - started
  expect([200, 202, 400], `${way}, ${about}: ${body.slice(0, 300)}`).toContain(statusCode)
  if (statusCode === 400) {
    refusals.push(ms)
    expect(ms, about).toBeLessThan(REFUSED_MS)
    expect(ERROR_REPLY.parse(JSON.parse(body)).error.param, about).toMatch(/^(body\.)?(image|mask|embeddings|size)$/)
  }
  return statusCode
}

/** Jobs that are over are kept for a second here. */
const forgotten = () => untilJobs(app, ({ kept }) => kept === 0)

async function expectService(): Promise<void> {
  expect((await app.inject(json('/v1/images/generations', { prompt: 'x', ...STEPS }))).statusCode).toBe(200)
}

test.each(Object.keys(BOMBS))(
  '%s: refused or drawn, cheaply, wherever a picture is taken',
  async name => {
    const sound = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } })
      .png()
      .toBuffer()
    const bomb = await BOMBS[name]!()
    await send('edits', sound, sound, 'warm-up')
    const statuses: number[] = []
    const everyWay = async () => {
      for (const way of Object.keys(WAYS)) statuses.push(await send(way, bomb, sound, name))
      // Jobs answer before they run.
      await untilJobs(app)
      await expectService()
    }
    await everyWay()
    if (statuses.every(status => status === 400)) await expectMemoryToSettle(FOR_REFUSED, everyWay)
  },
  120_000
)

test('nothing of what was sent is held, refused or drawn', async () => {
  const sound = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } })
    .png()
    .toBuffer()
  const bombs = await Promise.all(Object.entries(BOMBS).map(async ([name, make]) => [name, await make()] as const))
  const ways = Object.keys(WAYS)
  // Each in one way: what holds a picture holds it whatever it shows.
  const round = async () => {
    for (const [index, [name, bomb]] of bombs.entries()) await send(ways[index % ways.length]!, bomb, sound, name)
    for (const way of ways) await send(way, sound, sound, 'a sound picture')
    await untilJobs(app)
  }
  await expectNothingHeld(round, forgotten)
}, 120_000)

test(
  `${MUTATED} mutated pictures: refused or drawn, and their memory is given back`,
  async () => {
    const sound = await soundImages()
    const ways = Object.keys(WAYS)
    const round = async (from: number, count: number) => {
      const statuses = new Map<number, number>()
      for (let seed = from; seed < from + count; seed++) {
        const status = await send(
          ways[seed % ways.length]!,
          mutate(seeded(seed), sound[seed % sound.length]!),
          sound[0]!,
          `seed ${seed}`
        )
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
      await expectService()
      return statuses
    }
    const statuses = await round(1, MUTATED)
    // Some mutations do no harm; that both kinds are there shows that the test tests something.
    expect(statuses.get(400)).toBeGreaterThan(50)
    expect(statuses.get(200)).toBeGreaterThan(5)
    await expectMemoryToSettle({ heap: 32 * MIB, rss: 128 * MIB }, () => round(101, 200))
    expect(engine.liveTensors.size).toBe(0)
    expect(await app.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, inputBytes: 0 })
  },
  300_000 + MUTATED * 200
)
