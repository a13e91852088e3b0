import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { WuerstchenError } from '../../lib/errors.js'
import { createApp } from '../../lib/server/http/app.js'
import { CHANNELS, createServer, serverPlugin, startServer } from '../../lib/server/index.js'
import { serverOptions } from '../../lib/server/options.js'
import { FakeBackend, json, tinyModel, until, withFakeServer } from './fake-backend.js'

interface Reply {
  status: number
  headers: Record<string, unknown>
  body: string
}

/** A request over a socket; rejects where the connection is refused or cut. */
function ask(app: FastifyInstance, path: string, body?: object, agent?: Agent): Promise<Reply> {
  const { port } = addresses.get(app)!
  return new Promise((resolve, reject) => {
    const call = request(
      { port, path, agent, method: body === undefined ? 'GET' : 'POST', headers: { 'content-type': 'application/json' } },
      reply => {
        let text = ''
        reply
          .on('data', chunk => {
            text += String(chunk)
          })
          .on('end', () => resolve({ status: reply.statusCode!, headers: reply.headers, body: text }))
      }
    )
    call.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const addresses = new WeakMap<FastifyInstance, AddressInfo>()
const generate = (app: FastifyInstance, agent?: Agent) => ask(app, '/v1/images/generations', { prompt: 'x' }, agent)

/** A listening server on a fake backend; the test closes it. */
async function listening(options: Parameters<typeof serverOptions>[0] = {}) {
  const backend = new FakeBackend()
  const app = await createApp(serverOptions({ models: { tiny: tinyModel }, ...(options as object) }), false, { backend })
  await app.listen({ port: 0, host: '127.0.0.1' })
  addresses.set(app, app.server.address() as AddressInfo)
  await until(async () => (await app.wuerstchen.readiness()).ready)
  return { app, backend }
}

describe('a server that is closed', () => {
  test('lets what runs end, turns away what waits and what comes, and refuses new connections', async () => {
    const { app, backend } = await listening({ limits: { maxRunningImages: 6 } })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await ask(app, '/readyz', undefined, agent)).status).toBe(200)
    const running = Array.from({ length: 6 }, () => generate(app))
    await until(() => backend.runs.length === 6)
    const waiting = Array.from({ length: 20 }, () => generate(app))
    await until(async () => (await app.wuerstchen.jobs.stats()).queued === 20)
    // A request that has begun keeps its connection, on which others can follow.
    const held = generate(app, agent)
    await until(async () => (await app.wuerstchen.jobs.stats()).queued === 21)
    const closing = app.close()
    for (const reply of await Promise.all([...waiting, held])) {
      expect([reply.status, reply.headers['retry-after'], JSON.parse(reply.body).error.code]).toEqual([503, '5', 'shutting_down'])
    }
    await expect(ask(app, '/livez', undefined, new Agent())).rejects.toThrow('ECONNREFUSED')
    expect(await app.wuerstchen.readiness()).toEqual({ ready: false, reason: 'draining' })
    expect(backend.disposed).toEqual([])
    for (const { finish } of backend.runs) finish()
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    await closing
    expect([backend.runs.length, backend.disposed]).toEqual([6, ['tiny']])
    agent.destroy()
  })

  test('answers probes and new work on connections that exist', () =>
    withFakeServer({}, async app => {
      void app.wuerstchen.drain()
      const ready = await app.inject({ url: '/readyz' })
      expect([ready.statusCode, ready.json()]).toEqual([503, { status: 'draining' }])
      expect((await app.inject({ url: '/livez' })).statusCode).toBe(200)
      const refused = await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })
      expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([503, '5', 'shutting_down'])
    }))

  test('ends what does not end in time', async () => {
    const { app, backend } = await listening({ graceSeconds: 0 })
    const running = generate(app)
    await until(() => backend.runs.length === 1)
    const closing = app.close()
    expect((await running).status).toBe(503)
    expect(backend.runs[0]!.signal.aborted).toBe(true)
    await closing
  })
})

describe('readiness', () => {
  const readiness = async (app: FastifyInstance) => (await app.inject({ url: '/readyz' })).json().status as string

  test("comes with every model's first picture, and goes where one fails", async () => {
    const backend = new FakeBackend()
    let release = () => {}
    const loaded = new Promise<void>(resolve => {
      release = resolve
    })
    const load = backend.load.bind(backend)
    backend.load = async (facts, signal) => {
      await loaded
      return load(facts, signal)
    }
    const app = await createApp(serverOptions({ models: { one: tinyModel, two: tinyModel } }), false, { backend })
    const warm = app.wuerstchen.warmUp()
    expect(await readiness(app)).toBe('loading')
    expect((await app.inject({ url: '/livez' })).json()).toEqual({ status: 'ok' })
    release()
    await warm
    expect([await readiness(app), backend.loads]).toEqual(['ready', ['one', 'two']])
    await app.close()
  })

  test('tells that a model cannot be loaded, and that it can again', async () => {
    const backend = new FakeBackend()
    backend.loadError = new WuerstchenError('MODEL_INVALID', 'in /secret/place', { subject: '/secret/place/wuerstchen.json' })
    const app = await createApp(serverOptions({ models: { tiny: tinyModel } }), false, { backend })
    await app.wuerstchen.warmUp()
    expect((await app.inject({ url: '/readyz' })).json()).toEqual({
      status: 'failed',
      models: [{ id: 'tiny', status: 'failed', code: 'MODEL_INVALID' }]
    })
    const refused = await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })
    expect([refused.statusCode, refused.body.includes('secret')]).toEqual([503, false])
    backend.loadError = undefined
    backend.automatic = true
    expect((await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })).statusCode).toBe(200)
    expect(await readiness(app)).toBe('ready')
    await app.close()
  })

  test('is not lost by one model among several, and the others are loaded', async () => {
    const backend = new FakeBackend()
    const load = backend.load.bind(backend)
    let broken = true
    backend.load = async (facts, signal) => {
      const model = await load(facts, signal)
      if (broken && facts.name === 'bad') throw new WuerstchenError('MODEL_INVALID', 'in /secret/place', { subject: '/secret' })
      return model
    }
    const app = await createApp(serverOptions({ models: { bad: tinyModel, good: tinyModel } }), false, { backend })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await app.wuerstchen.warmUp()
    const { statusCode, body } = await app.inject({ url: '/readyz' })
    expect([statusCode, JSON.parse(body)]).toEqual([
      200,
      {
        status: 'ready',
        models: [
          { id: 'bad', status: 'failed', code: 'MODEL_INVALID' },
          { id: 'good', status: 'ready' }
        ]
      }
    ])
    // Nobody asks for it, and it comes back.
    broken = false
    await vi.advanceTimersByTimeAsync(5000)
    vi.useRealTimers()
    expect(app.wuerstchen.models.health).toEqual([
      { id: 'bad', status: 'ready' },
      { id: 'good', status: 'ready' }
    ])
    await app.close()
  })

  test('goes where a model that was unloaded cannot be loaded again', () =>
    withFakeServer({}, async (app, backend) => {
      const { models } = app.wuerstchen
      await models.slot(models.all[0]!.name).unload()
      expect(await readiness(app)).toBe('ready')
      backend.loadError = new WuerstchenError('MODEL_NOT_FOUND', 'gone', { subject: '/secret' })
      expect((await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })).statusCode).toBe(503)
      expect(await readiness(app)).toBe('failed')
    }))

  test('comes to a server that never listens, once somebody asks for it', async () => {
    const backend = new FakeBackend()
    const app = await createApp(serverOptions({ models: { tiny: tinyModel } }), false, { backend })
    await app.ready()
    expect(backend.loads).toEqual([])
    await until(async () => (await readiness(app)) === 'ready')
    expect(backend.loads).toEqual(['tiny'])
    await app.close()
  })

  test('goes while running work is silent for too long', () =>
    withFakeServer({ stallSeconds: 10 }, async (app, { runs }) => {
      void app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) }).then(() => {})
      await until(() => runs.length === 1)
      const now = performance.now()
      const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 60_000)
      expect((await app.inject({ url: '/readyz' })).json()).toEqual({
        status: 'stalled',
        stalled: { model: 'tiny', stage: null, seconds: 60 }
      })
      runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2 })
      expect(await readiness(app)).toBe('ready')
      clock.mockRestore()
      runs[0]!.finish()
    }))

  test('and every probe leave an unloaded model alone', () =>
    withFakeServer({}, async (app, backend) => {
      await app.wuerstchen.models.slot('tiny').unload()
      for (const url of ['/livez', '/readyz', '/metrics', '/v1/models', '/openapi.json'])
        expect((await app.inject({ url })).statusCode).toBe(200)
      expect((await app.inject({ url: '/v1/models' })).json()).toMatchObject({ data: [{ id: 'tiny', state: 'unloaded' }] })
      expect(backend.loads).toEqual(['tiny'])
      backend.automatic = true
      await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })
      expect(backend.loads).toEqual(['tiny', 'tiny'])
    }))
})

describe('too much', () => {
  test('waits no more than it may, and is refused before its body is read', () =>
    withFakeServer({ limits: { maxQueued: 2, maxRunningImages: 1 } }, async (app, backend) => {
      const replies = Array.from({ length: 3 }, () =>
        app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) }).then(({ statusCode }) => statusCode)
      )
      await until(async () => (await app.wuerstchen.jobs.stats()).queued === 2)
      const refused = await app.inject({ url: '/v1/images/generations', ...json({ prompt: 7 }) })
      expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([503, '5', 'queue_full'])
      backend.automatic = true
      backend.runs[0]!.finish()
      expect(await Promise.all(replies)).toEqual([200, 200, 200])
    }))

  test('of one key leaves room for the others', () =>
    withFakeServer(
      { apiKeys: ['ann:ann-0123456789abcdef', 'bob:bob-0123456789abcdef'], limits: { maxQueuedPerKey: 1, maxRunningImages: 1 } },
      async (app, backend) => {
        const send = (key: string) =>
          app.inject({
            url: '/v1/jobs',
            ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } }),
            headers: { 'content-type': 'application/json', authorization: `Bearer ${key}-0123456789abcdef` }
          })
        expect([(await send('ann')).statusCode, (await send('ann')).statusCode]).toEqual([202, 202])
        const refused = await send('ann')
        expect([refused.statusCode, refused.headers['retry-after'], refused.json().error.code]).toEqual([
          429,
          '5',
          'queue_share_full'
        ])
        expect((await send('bob')).statusCode).toBe(202)
        backend.automatic = true
        for (const { finish } of backend.runs) finish()
      }
    ))

  test('in a minute is refused, over all routes together', () =>
    withFakeServer({ limits: { requestsPerMinute: 2 } }, async (app, backend) => {
      backend.automatic = true
      const send = (url: string, body: object) => app.inject({ url, ...json(body) })
      expect((await send('/v1/images/generations', { prompt: 'x' })).statusCode).toBe(200)
      expect((await send('/v1/image-embeddings', { prompt: 'x' })).statusCode).toBe(200)
      const refused = await send('/v1/images/generations', { prompt: 'x' })
      expect([refused.statusCode, refused.json().error.code]).toEqual([429, 'rate_limit_exceeded'])
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
      expect((await app.inject({ url: '/v1/models' })).statusCode).toBe(200)
    }))

  test('memory for bodies is not given', () =>
    withFakeServer({ limits: { maxBodyBytes: 4096, maxHeldBytes: 5000, maxRunningImages: 8 } }, async (app, { runs }) => {
      const body = { prompt: 'x'.repeat(3000) }
      const first = app.inject({ url: '/v1/images/generations', ...json(body) }).then(({ statusCode }) => statusCode)
      await until(() => runs.length === 1)
      expect((await app.inject({ url: '/v1/images/generations', ...json(body) })).statusCode).toBe(503)
      runs[0]!.finish()
      expect(await first).toBe(200)
    }))
})

test('whoever subscribes hears of jobs and models', async () => {
  const heard: [string, unknown][] = []
  const listener = (message: unknown, name: string | symbol) => {
    heard.push([String(name), message])
  }
  for (const name of Object.values(CHANNELS)) subscribe(name, listener)
  await withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    await app.inject({ url: '/v1/images/generations', ...json({ prompt: 'x' }) })
  })
  for (const name of Object.values(CHANNELS)) unsubscribe(name, listener)
  expect(heard.map(([name]) => name)).toEqual([
    CHANNELS.modelLoaded,
    CHANNELS.jobQueued,
    CHANNELS.jobStarted,
    CHANNELS.jobEnded,
    CHANNELS.modelUnloaded
  ])
  expect(heard[3]![1]).toMatchObject({ job: { model: 'tiny', kind: 'generate', state: 'succeeded' }, timings: { prior: 3 } })
})

describe('in an application of somebody else', () => {
  test('the routes are below their prefix, and nothing else changes', async () => {
    const app = Fastify()
    app.get('/', async () => 'mine')
    await app.register(serverPlugin, { prefix: '/images', models: { tiny: tinyModel }, pipeline: { threads: 1 } })
    await app.ready()
    expect((await app.inject({ url: '/' })).body).toBe('mine')
    expect((await app.inject({ url: '/images/livez' })).json()).toEqual({ status: 'ok' })
    expect((await app.inject({ url: '/images/v1/nothing' })).json()).toMatchObject({ error: { code: 'unknown_url' } })
    expect((await app.inject({ url: '/nothing' })).json()).toMatchObject({ error: 'Not Found' })
    expect(Object.keys((await app.inject({ url: '/images/openapi.json' })).json().paths)).toContain(
      '/images/v1/images/generations'
    )
    await app.close()
  })

  // Fastify throws out of close() where a plugin takes longer, which ends most processes.
  test("work gets no more time than the application's pluginTimeout leaves", async () => {
    let warnings = ''
    const app = Fastify({
      pluginTimeout: 5000,
      logger: {
        level: 'warn',
        stream: {
          write: (line: string) => {
            warnings += line
          }
        }
      }
    })
    await app.register(serverPlugin, { prefix: '/images', models: { tiny: tinyModel }, pipeline: { threads: 1 } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    addresses.set(app, app.server.address() as AddressInfo)
    const running = ask(app, '/images/v1/images/generations', {
      prompt: 'x',
      n: 10,
      size: '256x256',
      prior_steps: 100,
      decoder_steps: 100
    })
    await vi.waitUntil(async () => /^wuerstchen_jobs_running 1$/m.test((await ask(app, '/images/metrics')).body), {
      timeout: 60_000
    })
    await app.close()
    expect((await running).status).toBe(503)
    expect(warnings).toContain('Work gets 4 s to finish when this server closes, not 60')
  })
})

describe('options', () => {
  test.each<[string, object]>([
    ['an unknown one', { modles: {} }],
    ['an unknown limit', { limits: { maxQueue: 1 } }],
    ['a limit out of its range', { limits: { maxImages: 0 } }],
    ['no model', { models: {} }],
    ['a name that is none', { models: { 'a b': tinyModel } }],
    ['a key that is too short', { apiKeys: ['short'] }],
    ['an unknown option of the pipeline', { pipeline: { signal: null } }],
    ['a listener that is none', { onStall: true }],
    ['a time for a stall that is none', { stallSeconds: -1 }],
    ['a listener to stalls that nobody looks for', { stallSeconds: 0, onStall: () => {} }]
  ])('are refused: %s', async (_, options) => {
    await expect(createServer(options)).rejects.toMatchObject({ name: 'WuerstchenError', code: 'INVALID_ARGUMENT' })
  })

  test('that the environment leaves empty count as not set', async () => {
    for (const name of ['API_KEYS', 'WEBHOOK_SECRET', 'URL_SECRET', 'MODEL']) vi.stubEnv(`WUERSTCHEN_${name}`, '')
    try {
      await (await createServer({ page: false })).close()
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('without keys bind it to this machine', async () => {
    await expect(startServer({ models: { tiny: tinyModel } }, { host: '0.0.0.0', port: 0 })).rejects.toThrow(
      'there are no API keys'
    )
  })

  test('name a directory that has a model', async () => {
    await expect(createServer({ models: { none: '/nowhere' } })).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
  })
})
