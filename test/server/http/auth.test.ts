import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { createServer } from '../../../lib/server/index.js'
import { json, tinyModel, withFakeServer } from '../fake-backend.js'
import { routesOf } from '../route-table.js'

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
  'GET /v1/results/:id/:index',
  'OPTIONS *'
]
const ADMINS = ['GET /metrics']

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
