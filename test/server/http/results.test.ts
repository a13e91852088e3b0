import { afterEach, describe, expect, test, vi } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { createServer } from '../../../lib/server/index.js'
import { json, tinyModel, withFakeServer } from '../fake-backend.js'

const GENERATIONS = '/v1/images/generations'

async function linksOf(app: FastifyInstance, fields: object = {}): Promise<URL[]> {
  const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', response_format: 'url', ...fields }) })
  expect(reply.statusCode, reply.body).toBe(200)
  const { data } = reply.json() as { data: { url: string; b64_json?: string }[] }
  for (const each of data) expect(each).not.toHaveProperty('b64_json')
  return data.map(({ url }) => new URL(url))
}

const get = (app: FastifyInstance, url: URL) => app.inject({ url: url.pathname + url.search })

describe('addresses of images', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('lead to each image without a key, for an hour, and are of no use for others', () =>
    withFakeServer({ apiKeys: ['ann:key-0123456789abcdef', 'bob:key-1123456789abcdef'] }, async (app, backend) => {
      backend.automatic = true
      const headers = {
        authorization: 'Bearer key-0123456789abcdef',
        'content-type': 'application/json',
        host: 'draw.example:8443'
      }
      const reply = await app.inject({
        method: 'POST',
        url: GENERATIONS,
        headers,
        payload: { prompt: 'x', n: 2, response_format: 'url', output_format: 'webp' }
      })
      const urls = (reply.json() as { data: { url: string }[] }).data.map(({ url }) => new URL(url))
      expect(urls.map(url => url.origin)).toEqual(['http://draw.example:8443', 'http://draw.example:8443'])
      for (const [index, url] of urls.entries()) {
        const image = await get(app, url)
        expect([image.statusCode, image.body]).toEqual([200, `picture ${index}`])
        expect(image.headers).toMatchObject({
          'content-type': 'image/webp',
          'content-disposition': `inline; filename="wuerstchen-${100 + index}.webp"`,
          'x-content-type-options': 'nosniff',
          'cross-origin-resource-policy': 'cross-origin'
        })
        expect(image.headers['cache-control']).toMatch(/^private, max-age=3[56]\d\d$/)
        const expires = Number(url.searchParams.get('expires'))
        expect(Math.abs(expires - Date.now() / 1000 - 3600)).toBeLessThan(10)
      }
    }))

  test('are refused when anything of them was changed', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const [first] = await linksOf(app, { n: 2 })
      const changed = (change: (url: URL) => void) => {
        const url = new URL(first!)
        change(url)
        return url
      }
      const expires = Number(first!.searchParams.get('expires'))
      const signature = first!.searchParams.get('signature')!
      const other = signature.startsWith('A') ? 'B' : 'A'
      const attempts: URL[] = [
        changed(url => url.searchParams.set('expires', String(expires + 1))),
        changed(url => url.searchParams.set('signature', other + signature.slice(1))),
        changed(url => url.searchParams.set('signature', signature.slice(0, 20))),
        changed(url => (url.pathname = url.pathname.replace(/0$/, '1'))),
        changed(url => (url.pathname = '/v1/results/00000000-0000-4000-8000-000000000000/0'))
      ]
      for (const url of attempts) {
        const reply = await get(app, url)
        expect([reply.statusCode, reply.json().error.code]).toEqual([403, 'invalid_signature'])
      }
      for (const name of ['expires', 'signature'])
        expect(
          (
            await get(
              app,
              changed(url => url.searchParams.delete(name))
            )
          ).statusCode
        ).toBe(400)
      expect((await get(app, first!)).statusCode).toBe(200)
    }))

  test('end after their time, and when the result has to go', () =>
    withFakeServer({ limits: { maxKeptJobs: 1 } }, async (app, backend) => {
      backend.automatic = true
      const [first] = await linksOf(app)
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3601_000 })
      expect((await get(app, first!)).json().error.code).toBe('result_expired')
      vi.useRealTimers()
      expect((await get(app, first!)).statusCode).toBe(200)
      const [second] = await linksOf(app)
      expect((await get(app, first!)).statusCode).toBe(410)
      expect((await get(app, second!)).statusCode).toBe(200)
    }))

  test('end with the result, are counted among what is kept, and belong to a job', () =>
    withFakeServer({ limits: { resultTtlSeconds: 60 } }, async (app, backend) => {
      backend.automatic = true
      const [url] = await linksOf(app)
      expect(Number(url!.searchParams.get('expires')) - Date.now() / 1000).toBeLessThan(61)
      const stats = await app.wuerstchen.jobs.stats()
      expect([stats.kept, stats.keptBytes > 'picture 0'.length]).toEqual([1, true])
      const { data } = (await app.inject('/v1/jobs')).json() as { data: { id: string }[] }
      expect(url!.pathname).toBe(`/v1/results/${data[0]!.id}/0`)
      const again = (await app.inject(`/v1/jobs/${data[0]!.id}/result`)).json() as { data: { url: string }[] }
      expect((await get(app, new URL(again.data[0]!.url))).statusCode).toBe(200)
      const body = { prompt: 'x', response_format: 'url' }
      const job = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body }) })
      const result = (await app.inject(`/v1/jobs/${job.json().id}/result`)).json() as { data: { url: string }[] }
      expect((await get(app, new URL(result.data[0]!.url))).body).toBe('picture 0')
    }))

  test('are signed with a secret that several servers can share, else with one of the process', () =>
    withFakeServer({ urlSecret: 'a secret of two servers' }, async (one, backend) => {
      backend.automatic = true
      const [url] = await linksOf(one)
      const status = (options: object) => withFakeServer(options, async other => (await get(other, url!)).statusCode)
      // The other server believes the address, and has no such result.
      expect(await status({ urlSecret: 'a secret of two servers' })).toBe(410)
      expect(await status({ urlSecret: 'a secret of one server' })).toBe(403)
      expect(await status({})).toBe(403)
      vi.stubEnv('WUERSTCHEN_URL_SECRET', 'a secret of two servers')
      expect(await status({})).toBe(410)
      vi.unstubAllEnvs()
    }))

  test('begin with the public address', () =>
    withFakeServer({ publicUrl: 'https://draw.example/images/' }, async (app, backend) => {
      backend.automatic = true
      const [url] = await linksOf(app)
      expect(url!.href).toMatch(/^https:\/\/draw\.example\/images\/v1\/results\//)
    }))

  test('are not given where nothing is kept', () =>
    withFakeServer({ limits: { maxKeptBytes: 0 } }, async app => {
      const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', response_format: 'url' }) })
      expect([reply.statusCode, reply.json().error.param]).toEqual([400, 'response_format'])
    }))

  test('are not given for images that are larger than all that is kept', () =>
    withFakeServer({ limits: { maxKeptBytes: 4 } }, async (app, backend) => {
      backend.automatic = true
      const reply = await app.inject({ url: GENERATIONS, ...json({ prompt: 'x', response_format: 'url' }) })
      expect([reply.statusCode, reply.json().error.code, reply.headers['x-should-retry']]).toEqual([
        503,
        'result_not_kept',
        'false'
      ])
    }))

  test.each<[string, object, string]>([
    ['publicUrl', { publicUrl: 'draw.example' }, 'publicUrl'],
    ['publicUrl with a query', { publicUrl: 'https://draw.example/?x=1' }, 'publicUrl'],
    ['a short secret', { urlSecret: 'short' }, 'urlSecret']
  ])('%s is refused at start', async (_, options, subject) => {
    const refused = await createServer({ models: { tiny: tinyModel }, ...options }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', subject })
    expect(String(refused)).not.toContain('"short"')
  })
})
