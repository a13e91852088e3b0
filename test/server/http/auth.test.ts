import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { findKey, parseKeys } from '../../../lib/server/http/keys.js'
import { createServer } from '../../../lib/server/index.js'
import { json, tinyModel, withFakeServer } from '../fake-backend.js'

const USE = 'use-0123456789abcdef'
const OTHER = 'other-0123456789abcdef'
const ADMIN = 'admin-0123456789abcdef'
const KEYS = { apiKeys: [`ann:${USE}`, `bob:${OTHER}`, `root:${ADMIN}:admin`], corsOrigins: ['https://example.org'] }
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const PUBLIC = [
  'GET /',
  'GET /page/:part',
  'GET /page/:part/:file',
  'GET /livez',
  'GET /readyz',
  'GET /openapi.json',
  'OPTIONS *'
]
const ADMINS = ['GET /metrics']

/** Every route of an instance, as `METHOD address`, read from the tree that Fastify prints of its router. */
function routesOf(app: FastifyInstance): string[] {
  const above: string[] = []
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap(line => {
      const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? []
      if (part === undefined) return []
      above.length = indent!.length / 4
      const url = above.join('') + part
      above.push(part)
      return methods === undefined ? [] : methods.split(', ').map(method => `${method} ${url}`)
    })
}

describe('every route', () => {
  test('says who may call it, else the server is not made', async () => {
    const app = await createServer({ models: { tiny: tinyModel } })
    expect(() => app.get('/forgotten', async () => 'secret')).toThrow('does not say who may call it')
    await app.close()
  })

  test('is in the list of public ones, or asks for a key', () =>
    withFakeServer(KEYS, async app => {
      const routes = routesOf(app)
      expect(routes).toContain('POST /v1/images/generations')
      expect(routes).toContain('GET /v1/jobs/:id/events')
      const open: string[] = []
      const admins: string[] = []
      for (const route of routes) {
        const [method, pattern] = route.split(' ') as [string, string]
        const url = pattern.replace(':id', '00000000-0000-4000-8000-000000000000').replace('*', '/any')
        const call = (headers: Record<string, string>) => app.inject({ method: method as 'GET', url, headers })
        const anonymous = await call({})
        if (anonymous.statusCode !== 401) open.push(route)
        else {
          for (const headers of [
            bearer('wrong-0123456789abcdef'),
            bearer(''),
            { authorization: USE },
            { authorization: `Basic ${USE}` },
            { 'x-api-key': USE }
          ]) {
            expect.soft([route, (await call(headers)).statusCode]).toEqual([route, 401])
          }
          expect.soft((await app.inject({ method: method as 'GET', url: `${url}?api_key=${USE}` })).statusCode).toBe(401)
          if ((await call(bearer(USE))).statusCode === 403) admins.push(route)
          expect.soft([401, 403]).not.toContain((await call(bearer(ADMIN))).statusCode)
        }
      }
      const withHead = (list: string[]) =>
        [...list, ...list.filter(route => route.startsWith('GET')).map(route => route.replace('GET', 'HEAD'))].sort()
      expect(open.sort()).toEqual(withHead(PUBLIC))
      expect(admins.sort()).toEqual(withHead(ADMINS))
    }))

  test.each([
    '//v1/models',
    '/v1/../v1/models',
    '/V1/models',
    '/v1//models',
    '/v1/models/',
    '/v1/models%2f',
    '/v1/mod%65ls/',
    '/%2e/v1/models',
    '/v1/models;x',
    '/v1\\models'
  ])('is not to be had as %s', url =>
    withFakeServer(KEYS, async app => {
      const { statusCode, body } = await app.inject({ method: 'GET', url })
      expect([401, 404, 400]).toContain(statusCode)
      expect(body).not.toContain('tiny')
    })
  )

  test.each(['TRACE', 'CONNECT', 'PUT', 'PATCH', 'DELETE'])('answers %s with 405 where another method is meant', method =>
    withFakeServer(KEYS, async app => {
      const { statusCode, headers } = await app.inject({ method: method as 'PUT', url: '/v1/models' })
      expect([404, 405]).toContain(statusCode)
      if (statusCode === 405) expect(headers['allow']).toBe('GET, HEAD')
    })
  )
})

describe('keys', () => {
  test('are found by their value, whether it or its hash was given', () => {
    const hash = createHash('sha256').update(OTHER).digest('hex')
    const keys = parseKeys([`ann:${USE}`, ADMIN, `eve:sha256=${hash}:admin`])
    expect(findKey(keys, USE)).toMatchObject({ name: 'ann', scope: 'use' })
    expect(findKey(keys, OTHER)).toMatchObject({ name: 'eve', scope: 'admin' })
    // Who has read the hash has not read the key.
    for (const given of [hash, `sha256=${hash}`]) expect(findKey(keys, given)).toBeUndefined()
    expect(findKey(keys, ADMIN)).toMatchObject({ name: 'key-2', scope: 'use' })
    expect(findKey(keys, `${USE}x`)).toBeUndefined()
    expect(findKey(keys, '')).toBeUndefined()
    expect(JSON.stringify(keys)).not.toContain(USE)
  })

  const digits = (count: number) => `ann:sha256=${'0123456789abcdef'.repeat(5).slice(0, count)}`
  test.each([
    ['short'],
    ['a:b:c:d'],
    ['ann:0123456789abcde\n'],
    [digits(2)],
    // A hash that was cut off would be taken for a key that nobody knows.
    [digits(16)],
    [digits(63)],
    [digits(65)],
    [`${digits(63)}A`],
    [''],
    [' ann:0123456789abcdef']
  ])('are refused where they are not sound: %j', key => {
    expect(() => parseKeys([key])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error)
  })

  test('are refused where two have one name', () => {
    expect(() => parseKeys([`a:${USE}`, `a:${OTHER}`])).toThrow('different names')
  })
})

describe('jobs', () => {
  test("are their own key's, and unknown to every other but one for administration", () =>
    withFakeServer(KEYS, async app => {
      const created = await app.inject({
        url: '/v1/jobs',
        ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } }),
        headers: { 'content-type': 'application/json', ...bearer(USE) }
      })
      expect(created.statusCode).toBe(202)
      const url = created.headers['location'] as string
      const status = async (method: 'GET' | 'DELETE', path: string, key: string) =>
        (await app.inject({ method, url: path, headers: bearer(key) })).statusCode
      for (const path of [url, `${url}/events`, `${url}/result`]) expect(await status('GET', path, OTHER)).toBe(404)
      expect(await status('DELETE', url, OTHER)).toBe(404)
      const list = async (key: string) =>
        (await app.inject({ url: '/v1/jobs', headers: bearer(key) })).json().data.length as number
      expect([await list(USE), await list(OTHER), await list(ADMIN)]).toEqual([1, 0, 1])
      expect([await status('GET', url, USE), await status('GET', url, ADMIN), await status('DELETE', url, ADMIN)]).toEqual([
        200, 200, 200
      ])
    }))
})

describe('without keys', () => {
  const models = '/v1/models'

  test('this machine is served by its own names, and no other', () =>
    withFakeServer({}, async app => {
      for (const host of ['localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080'])
        expect((await app.inject({ url: models, headers: { host } })).statusCode).toBe(200)
      for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'])
        expect((await app.inject({ url: models, headers: { host } })).statusCode).toBe(401)
      expect((await app.inject({ url: models, remoteAddress: '10.0.0.7' })).statusCode).toBe(401)
    }))

  test('everybody is, where that is allowed', () =>
    withFakeServer({ allowUnauthenticated: true }, async app => {
      expect((await app.inject({ url: models, remoteAddress: '10.0.0.7', headers: { host: 'images.example' } })).statusCode).toBe(
        200
      )
    }))

  test('pages of elsewhere cannot make this machine work', () =>
    withFakeServer({}, async (app, backend) => {
      const form = '--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nx\r\n--b--\r\n'
      const send = (headers: Record<string, string>) =>
        app.inject({
          method: 'POST',
          url: '/v1/images/generations',
          payload: form,
          headers: { 'content-type': 'multipart/form-data; boundary=b', host: 'localhost:8080', ...headers }
        })
      backend.automatic = true
      expect((await send({ origin: 'https://evil.example' })).statusCode).toBe(403)
      expect((await send({ 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403)
      expect((await send({ origin: 'null' })).statusCode).toBe(403)
      expect((await send({ origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' })).statusCode).toBe(200)
      expect((await send({})).statusCode).toBe(200)
      expect(backend.runs).toHaveLength(2)
    }))
})

describe('other origins', () => {
  test('get no headers that let a page read replies, unless they are named', async () => {
    const ask = (app: FastifyInstance, origin: string) => app.inject({ url: '/v1/models', headers: { origin, ...bearer(USE) } })
    await withFakeServer({ apiKeys: [USE] }, async app => {
      expect((await ask(app, 'https://example.org')).headers['access-control-allow-origin']).toBeUndefined()
    })
    await withFakeServer(KEYS, async app => {
      expect((await ask(app, 'https://example.org')).headers['access-control-allow-origin']).toBe('https://example.org')
      expect((await ask(app, 'https://evil.example')).headers['access-control-allow-origin']).not.toBe('https://evil.example')
    })
  })
})
