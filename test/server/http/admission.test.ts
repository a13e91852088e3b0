import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../lib/server/jobs/memory-store.js'
import type { Limits } from '../../../lib/server/limits.js'
import { heartPicture, json, until, withFakeServer, type FakeBackend } from '../fake-backend.js'

const GENERATIONS = '/v1/images/generations'

interface Reply {
  status: number
  retryAfter: unknown
  code: string | undefined
}

/** A server whose store takes on so many works of requests at once: what comes first waits for the others. */
function withGate(count: number, limits: Partial<Limits>, body: (app: FastifyInstance, backend: FakeBackend) => Promise<void>) {
  const waiting: (() => void)[] = []
  return withFakeServer({ limits }, body, false, (all, observers) => {
    const store = new MemoryStore(all, observers)
    const submit = store.submit.bind(store)
    store.submit = async (work, terms) => {
      if (work.kind !== 'embedText')
        await new Promise<void>(resolve => {
          if (waiting.push(resolve) === count) for (const open of waiting) open()
        })
      return submit(work, terms)
    }
    return store
  })
}

const ask = async (app: FastifyInstance, url: string, body: object): Promise<Reply> => {
  const { statusCode, headers, body: text } = await app.inject({ url, ...json(body) })
  return {
    status: statusCode,
    retryAfter: headers['retry-after'],
    code: (JSON.parse(text) as { error?: { code: string } }).error?.code
  }
}

describe('a refusal has one answer, wherever it happens', () => {
  test('at the share of a key: of four that come together one waits, and three get 429', () =>
    withGate(4, { maxQueuedPerKey: 1, maxRunningImages: 1 }, async (app, backend) => {
      const refused = { status: 429, retryAfter: '5', code: 'queue_share_full' }
      expect(await outcomesOfFour(app, backend)).toEqual([refused, refused, refused])
    }))

  test('at the length of the queue: of four that come together one waits, and three get 503', () =>
    withGate(4, { maxQueued: 1, maxRunningImages: 1 }, async (app, backend) => {
      const refused = { status: 503, retryAfter: '5', code: 'queue_full' }
      expect(await outcomesOfFour(app, backend)).toEqual([refused, refused, refused])
    }))

  /** The replies to those of four that were refused. None is refused at admission, for all four are admitted while none waits. */
  async function outcomesOfFour(app: FastifyInstance, backend: FakeBackend) {
    const running = app.wuerstchen.jobs.submit(
      { kind: 'embedText', model: 'tiny', images: 1, options: {} },
      { owner: 'somebody', priority: 0, timeoutMs: 60_000, keep: false }
    )
    await until(() => backend.runs.length === 1)
    const over: Reply[] = []
    const four = Array.from({ length: 4 }, async () => over.push(await ask(app, GENERATIONS, { prompt: 'x' })))
    await until(() => over.length === 3)
    expect(await app.wuerstchen.jobs.stats()).toMatchObject({ queued: 1, running: 1 })
    const refused = [...over]
    backend.automatic = true
    backend.runs[0]!.finish()
    await Promise.all([...four, running])
    expect(over[3]!.status).toBe(200)
    return refused
  }

  test('at the end of the server: 503 for what waits, for what runs out of time, and for what comes', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, async (app, backend) => {
      const ending = { status: 503, retryAfter: '5', code: 'shutting_down' }
      const running = ask(app, GENERATIONS, { prompt: 'x' })
      await until(() => backend.runs.length === 1)
      const waiting = ask(app, GENERATIONS, { prompt: 'x' })
      await until(async () => (await app.wuerstchen.jobs.stats()).queued === 1)
      void app.wuerstchen.drain()
      expect(await waiting).toEqual(ending)
      expect(await ask(app, GENERATIONS, { prompt: 'x' })).toEqual(ending)
      await app.wuerstchen.abort()
      expect(await running).toEqual(ending)
    }))
})

describe('what is held', () => {
  test('is a body until it has become work, then the inputs of its job until that ends, each counted once', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, async (app, backend) => {
      const { held, jobs } = app.wuerstchen
      const image = await heartPicture()
      const body = { endpoint: '/v1/images/variations', body: { image: image.toString('base64'), prompt: 'x' } }
      const [first, second] = await Promise.all([
        app.inject({ url: '/v1/jobs', ...json(body) }),
        app.inject({ url: '/v1/jobs', ...json(body) })
      ])
      expect([first!.statusCode, second!.statusCode]).toEqual([202, 202])
      const inputs = image.length + 1
      await until(() => held.bytes === 2 * inputs)
      expect((await jobs.stats()).inputBytes).toBe(2 * inputs)
      const waited = app.inject({ url: '/v1/images/variations', ...json(body.body) })
      await until(async () => (await jobs.stats()).queued === 2)
      expect(held.bytes).toBe(3 * inputs)
      await until(() => backend.runs.length === 1)
      backend.automatic = true
      backend.runs[0]!.finish()
      expect((await waited).statusCode).toBe(200)
      await until(() => held.bytes === 0)
      expect((await jobs.stats()).inputBytes).toBe(0)
    }))

  const HELD = { maxHeldBytes: 40_000, maxHeldBytesPerKey: 40_000 }

  test('never is more than may be, whatever comes together', () =>
    withFakeServer({ limits: { ...HELD, maxBodyBytes: 20_000, maxRunningImages: 1 } }, async (app, backend) => {
      const image = (await heartPicture()).toString('base64')
      const body = { endpoint: '/v1/images/variations', body: { image } }
      const most = Math.floor(40_000 / JSON.stringify(body).length)
      expect(most).toBeGreaterThanOrEqual(2)
      let seen = 0
      const replies = await Promise.all(
        Array.from({ length: 4 * most }, async () => {
          const { status, code } = await ask(app, '/v1/jobs', body)
          seen = Math.max(seen, app.wuerstchen.held.bytes)
          return status === 202 ? 'taken' : `${status} ${code}`
        })
      )
      expect(new Set(replies)).toEqual(new Set(['taken', '503 queue_full']))
      expect(seen).toBeLessThanOrEqual(40_000)
      expect((await app.wuerstchen.jobs.stats()).inputBytes).toBeLessThanOrEqual(40_000)
      backend.automatic = true
      await until(() => backend.runs.length === 1)
      backend.runs[0]!.finish()
      await until(() => app.wuerstchen.held.bytes === 0)
    }))

  test('is let go where a request is refused, and where it cannot be used', () =>
    withFakeServer({ limits: { maxQueued: 1, maxRunningImages: 1 } }, async (app, backend) => {
      const { held } = app.wuerstchen
      expect((await ask(app, GENERATIONS, { prompt: 7 })).status).toBe(400)
      expect((await ask(app, '/v1/images/variations', { image: 'AAAA' })).status).toBe(400)
      await until(() => held.bytes === 0)
      void ask(app, GENERATIONS, { prompt: 'x' })
      await until(() => backend.runs.length === 1)
      const two = Array.from({ length: 2 }, () => ask(app, GENERATIONS, { prompt: 'x'.repeat(500) }))
      expect((await Promise.race(two)).status).toBe(503)
      backend.automatic = true
      backend.runs[0]!.finish()
      await Promise.all(two)
      await until(() => held.bytes === 0)
    }))
})

test('a client that leaves before its work is taken on takes it along', async () => {
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  let [asked, taken] = [0, 0]
  await withFakeServer(
    { limits: { maxRunningImages: 1 } },
    async (app, backend) => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const call = request({ port, path: GENERATIONS, method: 'POST', headers: { 'content-type': 'application/json' } })
      call.on('error', () => {}).end('{"prompt":"x"}')
      await until(() => asked === 1)
      call.destroy()
      // The body is let go; the text of its work is not yet.
      await until(() => app.wuerstchen.held.bytes === 1)
      release()
      await until(() => taken === 1)
      await until(async () => (await app.wuerstchen.jobs.stats()).running === 0)
      expect(backend.runs.every(({ signal }) => signal.aborted)).toBe(true)
    },
    false,
    (limits, observers) => {
      const store = new MemoryStore(limits, observers)
      const submit = store.submit.bind(store)
      store.submit = async (...args) => {
        asked++
        await released
        const submitted = await submit(...args)
        taken++
        return submitted
      }
      return store
    }
  )
})
