import accepts from '@fastify/accepts'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import files from '@fastify/static'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { serverPlugin, type ServerOptions } from '../../lib/server/index.js'
import { root } from '../support/small-model.js'
import { FakeBackend, heartPicture, json, tinyModel } from './fake-backend.js'

const backend = vi.hoisted(() => ({ current: undefined as FakeBackend | undefined }))
vi.mock('../../lib/server/models/backend.js', () => ({ pipelineBackend: () => backend.current }))

const hosts: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map(host => host.close()))
})

/** An application with the server in it, after `prepare` has made it what ordinary applications are. */
async function embed(
  prepare: (host: FastifyInstance) => unknown = () => {},
  options: ServerOptions & { prefix?: string } = {},
  hostOptions: FastifyServerOptions = {}
): Promise<{ host: FastifyInstance }> {
  backend.current = new FakeBackend()
  backend.current.automatic = true
  const host = Fastify({ pluginTimeout: 0, ...hostOptions }) as FastifyInstance
  hosts.push(host)
  await prepare(host)
  void host.register(serverPlugin, { prefix: '/images', models: { tiny: tinyModel }, ...options })
  // Not the application itself: whoever awaits one waits until it is ready.
  return { host }
}

const url = '/images/v1/images/generations'
const generate = (host: FastifyInstance, at = url) => host.inject({ url: at, ...json({ prompt: 'x' }) })

/** What a server has to do wherever it is. */
async function expectWorks(host: FastifyInstance, prefix = '/images'): Promise<void> {
  await host.ready()
  expect((await generate(host, `${prefix}/v1/images/generations`)).json()).toMatchObject({ model: 'tiny', data: [{ seed: 100 }] })
  const form = new FormData()
  form.set('prompt', 'x')
  form.set('image', new File([await heartPicture()], 'heart.png', { type: 'image/png' }))
  const request = new Request('http://localhost/', { method: 'POST', body: form })
  const edited = await host.inject({
    method: 'POST',
    url: `${prefix}/v1/images/edits`,
    payload: Buffer.from(await request.arrayBuffer()),
    headers: { 'content-type': request.headers.get('content-type')! }
  })
  expect(edited.json()).toMatchObject({ data: [{ seed: 100 }] })
  const created = await host.inject({
    url: `${prefix}/v1/jobs`,
    ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
  })
  expect(created.statusCode).toBe(202)
  expect((await host.inject({ url: created.headers['location'] as string })).json()).toMatchObject({ object: 'job' })
  const wrong = await host.inject({ url: `${prefix}/v1/images/generations`, ...json({ prompt: 'x', promt: 'x' }) })
  expect([wrong.statusCode, wrong.json().error.code]).toEqual([400, 'unknown_parameter'])
  const streamed = await host.inject({ url: `${prefix}/v1/images/generations`, ...json({ prompt: 'x', stream: true }) })
  expect(streamed.headers['content-type']).toContain('text/event-stream')
  expect((await host.inject({ url: `${prefix}/metrics` })).body).toContain('wuerstchen_jobs_total')
  expect((await host.inject({ url: `${prefix}/` })).headers['content-security-policy']).toContain("default-src 'none'")
}

const decorator = () => 'mine'

describe('in an application that', () => {
  test.each<[string, (host: FastifyInstance) => unknown]>([
    ['has nothing else', () => {}],
    ['has @fastify/multipart', host => host.register(multipart)],
    ['has @fastify/multipart that fills bodies', host => host.register(multipart, { attachFieldsToBody: true })],
    ['has @fastify/cors', host => host.register(cors, { origin: true })],
    ['has @fastify/helmet', host => host.register(helmet)],
    ['has @fastify/accepts', host => host.register(accepts)],
    ['has @fastify/rate-limit', host => host.register(rateLimit, { max: 1000 })],
    ['has @fastify/static', host => host.register(files, { root, serve: false })],
    [
      'has decorators of its own',
      host => {
        for (const name of ['job', 'caller', 'charge']) host.decorateRequest(name, null)
        for (const name of ['over', 'raw2']) host.decorateReply(name, null)
        host.decorate('wuerstchen' as string, decorator)
      }
    ],
    [
      'has parsers of its own',
      host => {
        host.removeAllContentTypeParsers()
        host.addContentTypeParser('application/json', { parseAs: 'string' }, (_, text, done) => done(null, { text }))
        host.addContentTypeParser(/^multipart\//, (_, __, done) => done(null, 'a form'))
        host.addContentTypeParser('*', (_, __, done) => done(new Error('nothing else')))
      }
    ],
    [
      'answers errors in its own way',
      host => {
        host.setErrorHandler((_, __, reply) => reply.code(418).send('mine'))
        host.setNotFoundHandler((_, reply) => reply.code(418).send('mine'))
      }
    ],
    [
      'checks and writes in its own way',
      host => {
        host.setValidatorCompiler(() => () => ({ error: new Error('mine') }))
        host.setSerializerCompiler(() => () => 'mine')
        host.setReplySerializer(() => 'mine')
        host.setSchemaErrorFormatter(() => new Error('mine'))
      }
    ],
    [
      'has hooks for every request',
      host => {
        host.addHook('onRequest', async () => {})
        host.addHook('preParsing', (_, __, payload, done) => done(null, payload))
        host.addHook('preValidation', async () => {})
        host.addHook('preHandler', async () => {})
        host.addHook('preSerialization', async () => 'mine')
        host.addHook('onSend', async () => 'mine')
        host.addHook('onRoute', () => {})
      }
    ]
  ])('%s, all of the server works', async (_, prepare) => {
    await expectWorks((await embed(prepare)).host)
  })

  test.each<[string, FastifyServerOptions]>([
    ['reads small bodies alone', { bodyLimit: 16 }],
    ['has ids of its own', { genReqId: () => 'a b' }],
    ['has numbers as ids', { genReqId: () => 7 as unknown as string }],
    ['trusts its proxies', { trustProxy: true }],
    ['does not tell slashes apart', { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } }],
    ['does not tell letters apart', { routerOptions: { caseSensitive: false } }],
    ['has no routes for HEAD', { exposeHeadRoutes: false }],
    ['changes addresses', { rewriteUrl: ({ url: given = '' }) => given.replace(/^\/elsewhere/, '/images') }],
    ['logs', { logger: { level: 'silent' } }]
  ])('%s, all of the server works', async (_, options) => {
    await expectWorks((await embed(() => {}, {}, options)).host)
  })

  test('has all of the usual plugins, and pages of elsewhere that may call', async () => {
    const { host } = await embed(
      async each => {
        for (const plugin of [multipart, helmet, accepts]) await each.register(plugin)
        await each.register(cors, { origin: ['https://host.example'] })
        await each.register(rateLimit, { max: 1000 })
      },
      { corsOrigins: ['https://pages.example'], limits: { requestsPerMinute: 100 } }
    )
    await expectWorks(host)
    const { headers } = await host.inject({ url: '/images/livez', headers: { origin: 'https://pages.example' } })
    expect(headers['access-control-allow-origin']).toBe('https://pages.example')
    // What the application's own plugins say of every reply is not lost.
    expect(headers).toHaveProperty('x-ratelimit-limit')
  })

  test('has no prefix for it: the application keeps its own answers to what does not exist', async () => {
    const { host } = await embed(each => each.get('/mine', async () => 'mine'), {
      prefix: '',
      corsOrigins: ['https://pages.example']
    })
    await expectWorks(host, '')
    expect((await host.inject({ url: '/mine' })).body).toBe('mine')
    expect((await host.inject({ url: '/nothing' })).json()).toMatchObject({ error: 'Not Found' })
    const preflight = await host.inject({
      method: 'OPTIONS',
      url: '/v1/jobs',
      headers: { origin: 'https://pages.example', 'access-control-request-method': 'POST' }
    })
    expect(preflight.headers['access-control-allow-origin']).toBe('https://pages.example')
  })

  test('has it twice, and inside of a part of its own', async () => {
    const { host } = await embed(async each => {
      await each.register(
        async part => {
          await part.register(serverPlugin, { prefix: '/two', models: { tiny: tinyModel } })
        },
        { prefix: '/part' }
      )
    })
    await expectWorks(host)
    await expectWorks(host, '/part/two')
  })

  test('asks who calls in hooks, which the server does not pass by', async () => {
    for (const hook of ['onRequest', 'preValidation', 'preHandler'] as const) {
      const { host } = await embed(each =>
        each.addHook(hook as 'preHandler', async (request, reply) => {
          if (request.headers['x-user'] === undefined) await reply.code(402).send('who?')
        })
      )
      await host.ready()
      expect([hook, (await generate(host)).statusCode]).toEqual([hook, 402])
      expect(backend.current!.runs).toHaveLength(0)
      const known = await host.inject({
        url,
        ...json({ prompt: 'x' }),
        headers: { 'content-type': 'application/json', 'x-user': 'ann' }
      })
      expect(known.statusCode).toBe(200)
    }
  })
})

describe('an application', () => {
  test.each<[string, ServerOptions & { prefix?: string }, (host: FastifyInstance) => unknown, object]>([
    ['an option there is not', { modles: {} } as ServerOptions, () => {}, { code: 'INVALID_ARGUMENT' }],
    ['a model there is not', { models: { a: '/nowhere' } }, () => {}, { code: 'MODEL_NOT_FOUND' }],
    ['a prefix with parameters', { prefix: '/:tenant/images' }, () => {}, { code: 'INVALID_ARGUMENT', subject: 'prefix' }],
    ['proxies of its own', { trustProxy: ['loopback'] }, () => {}, { code: 'INVALID_ARGUMENT', subject: 'trustProxy' }],
    ['a certificate of its own', { tls: { cert: 'a', key: 'b' } }, () => {}, { code: 'INVALID_ARGUMENT', subject: 'tls' }],
    [
      'the address of another route',
      {},
      host => host.get('/images/v1/models', async () => 'mine'),
      { code: 'FST_ERR_DUPLICATED_ROUTE' }
    ]
  ])('is told by ready() that the server cannot have %s', async (_, options, prepare, error) => {
    const { host } = await embed(prepare, options)
    await expect(host.ready()).rejects.toMatchObject(error)
  })

  test('sees nothing of the server but its routes', async () => {
    const routes: string[] = []
    const { host } = await embed(each =>
      each.addHook('onRoute', ({ method, url: at }) => {
        routes.push(`${String(method)} ${at}`)
      })
    )
    await host.ready()
    expect(routes).toContain('POST /images/v1/images/generations')
    expect(routes).toContain('GET /images/v1/jobs/:id')
    for (const name of ['wuerstchen', 'multipartErrors']) expect(host.hasDecorator(name)).toBe(false)
    for (const name of ['caller', 'job', 'parts']) expect(host.hasRequestDecorator(name)).toBe(false)
    expect(host.hasContentTypeParser('multipart/form-data')).toBe(false)
    expect((await host.inject({ url: '/images/v1/nothing' })).json()).toMatchObject({ error: { code: 'unknown_url' } })
    expect((await host.inject({ url: '/images/v1/models', method: 'DELETE' })).statusCode).toBe(405)
    expect((await host.inject({ url: '/nothing' })).json()).toMatchObject({ error: 'Not Found' })
  })

  test('asks for a key on each of its routes, in whatever way it is written', async () => {
    const routes: [method: string, url: string][] = []
    const { host } = await embed(
      each =>
        each.addHook('onRoute', ({ method, url: at }) => {
          for (const one of [method].flat()) routes.push([one, at])
        }),
      { apiKeys: ['ann:0123456789abcdef'] },
      { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } }
    )
    await host.ready()
    // Addresses of images are signed instead.
    const keyed = (at: string) => at.startsWith('/images/v1/') && !at.startsWith('/images/v1/results/')
    const guarded = routes.filter(([, at]) => keyed(at) || at === '/images/metrics')
    expect(guarded.length).toBeGreaterThan(15)
    for (const [method, pattern] of guarded) {
      const at = pattern.replace(':id', '00000000-0000-4000-8000-000000000000').replace(':index', '0')
      for (const [spelling, allowed] of [
        [at, [401]],
        [`${at}/`, [401, 404]],
        [at.toUpperCase(), [401, 404]],
        [at.replace('/v1', '//v1'), [401, 404]],
        [at.replace('/v1', '/v1/../v1'), [401, 404, 405]],
        [at.replace('/v1', '/%76%31'), [401, 404]],
        [`${at}?api_key=0123456789abcdef`, [401]]
      ] as const) {
        const { statusCode } = await host.inject({ method: method as 'GET', url: spelling })
        expect([method, spelling, allowed.includes(statusCode as never) || statusCode]).toEqual([method, spelling, true])
      }
    }
    expect(backend.current!.runs).toHaveLength(0)
  })

  test('is led to the page where its slash is missing', async () => {
    const { host } = await embed(() => {}, { prefix: '/a/images' })
    const { statusCode, headers } = await host.inject({ url: '/a/images' })
    expect([statusCode, new URL(headers['location'] as string, 'http://proxy.example/below/a/images').pathname]).toEqual([
      308,
      '/below/a/images/'
    ])
  })

  test('gives ids to requests that have none, and the request’s own counts before them', async () => {
    const { host } = await embed(() => {}, {}, { genReqId: () => 'of-the-host' })
    const id = async (headers: Record<string, string>) =>
      (await host.inject({ url: '/images/livez', headers })).headers['x-request-id']
    expect(await id({})).toBe('of-the-host')
    expect(await id({ 'x-request-id': 'mine' })).toBe('mine')
    expect(await id({ 'x-request-id': 'not sound' })).toBe('of-the-host')
  })

  test('says which proxies are trusted, and the server goes by that', async () => {
    const ask = async (host: FastifyInstance, headers: Record<string, string>) => {
      const { statusCode, headers: reply } = await host.inject({
        url: '/images/v1/jobs',
        ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } }),
        headers: { 'content-type': 'application/json', host: 'localhost', 'x-forwarded-prefix': '/below', ...headers }
      })
      return [statusCode, (reply['location'] as string | undefined)?.replace(/[^/]*$/, '')]
    }
    for (const trustProxy of ['loopback', true]) {
      const { host } = await embed(() => {}, {}, { trustProxy })
      expect(await ask(host, { 'x-forwarded-for': '127.0.0.1' })).toEqual([202, '/below/images/v1/jobs/'])
      expect(await ask(host, { 'x-forwarded-for': '203.0.113.9' })).toEqual([401, undefined])
      // An application that trusts everybody believes the first, which anybody can write.
      expect(await ask(host, { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' })).toEqual([401, undefined])
    }
    expect(await ask((await embed()).host, { 'x-forwarded-for': '127.0.0.1' })).toEqual([401, undefined])
  })

  test('ends also where clients leave while its hooks still work', async () => {
    const hooks = { begun: 0, over: 0 }
    const { host } = await embed(
      async app => {
        app.addHook('preHandler', async ({ raw }) => {
          hooks.begun++
          if (!raw.socket.closed) await once(raw.socket, 'close')
          // Behind everything that Node does where a connection ends.
          await new Promise(setImmediate)
          hooks.over++
        })
      },
      { graceSeconds: 1 }
    )
    await host.listen({ port: 0, host: '127.0.0.1' })
    const { port } = host.server.address() as AddressInfo
    const body = '{"prompt":"x"}'
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `POST ${url} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    )
    await vi.waitUntil(() => hooks.begun === 1)
    socket.destroy()
    await vi.waitUntil(() => hooks.over === 1)
    await hosts.pop()!.close()
    expect(backend.current!.disposed).toEqual(backend.current!.loads)
  })

  test('says which addresses images have', async () => {
    const addressOf = async (options: object) => {
      const { host } = await embed(() => {}, { apiKeys: ['key-0123456789abcdef'] }, options)
      backend.current!.automatic = true
      const image = json({ prompt: 'x', response_format: 'url' })
      const reply = await host.inject({
        url: '/images/v1/images/generations',
        ...image,
        headers: {
          ...image.headers,
          authorization: 'Bearer key-0123456789abcdef',
          host: 'inside:8080',
          'x-forwarded-for': '203.0.113.9',
          'x-forwarded-host': 'draw.example',
          'x-forwarded-proto': 'https',
          'x-forwarded-prefix': '/below'
        }
      })
      return (reply.json() as { data: { url: string }[] }).data[0]!.url.replace(/\/v1\/results\/.*/, '')
    }
    expect(await addressOf({ trustProxy: 'loopback' })).toBe('https://draw.example/below/images')
    expect(await addressOf({})).toBe('http://inside:8080/images')
  })

  test('that listens has its models loaded, and that closes has them freed', async () => {
    const { host } = await embed()
    await host.listen({ port: 0, host: '127.0.0.1' })
    const { port } = host.server.address() as AddressInfo
    const ready = async () => (await fetch(`http://127.0.0.1:${port}/images/readyz`)).status
    await vi.waitUntil(async () => (await ready()) === 200)
    await hosts.pop()!.close()
    expect([backend.current!.loads, backend.current!.disposed]).toEqual([['tiny'], ['tiny']])
  })
})
