import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { isLocalSocket } from '../../../lib/server/http/client.js'
import { TrustedProxies } from '../../../lib/server/http/proxies.js'
import { json, withFakeServer } from '../fake-backend.js'

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

/** What proxies, load balancers and content networks add to requests, each alone and as they write it. */
const OF_PROXIES: Record<string, string> = {
  forwarded: 'for=192.0.2.60;proto=http;by=203.0.113.43',
  via: '1.1 varnish',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-host': 'images.example.com',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '443',
  'x-forwarded-prefix': '/draw',
  'x-forwarded-server': 'proxy',
  'x-forwarded': '203.0.113.9',
  'forwarded-for': '203.0.113.9',
  'x-real-ip': '203.0.113.9',
  'x-client-ip': '203.0.113.9',
  'true-client-ip': '203.0.113.9',
  'cf-connecting-ip': '203.0.113.9',
  'cdn-loop': 'cloudflare',
  'x-original-forwarded-for': '203.0.113.9',
  'x-envoy-external-address': '203.0.113.9'
}

describe('a proxy on this machine', () => {
  const url = '/v1/models'
  // Default nginx names the server as its host, so that the request looks local.
  const host = '127.0.0.1:8080'

  test.each(Object.entries(OF_PROXIES))('is known by %s, and lets nobody in without keys', (name, value) =>
    withFakeServer({}, async app => {
      const refused = await app.inject({ url, headers: { host, [name]: value } })
      expect([refused.statusCode, refused.json().error.code]).toEqual([401, 'no_api_keys'])
      expect(refused.json().error.message).toContain(`a proxy passed this request on (${name}). Start it with API keys`)
      // Whatever it says: that this machine asked is what anybody can write.
      for (const local of ['127.0.0.1', 'for=127.0.0.1', 'localhost', ''])
        expect((await app.inject({ url, headers: { host, [name]: local } })).statusCode).toBe(401)
      expect((await app.inject({ url: '/livez', headers: { host, [name]: value } })).statusCode).toBe(200)
    })
  )

  test('that is trusted may pass on what came from this machine', () =>
    withFakeServer({ trustProxy: ['loopback'] }, async app => {
      const ask = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
        (await app.inject({ url, headers: { host, ...headers }, remoteAddress })).statusCode
      expect(await ask({})).toBe(200)
      for (const local of ['127.0.0.1', '::1', '127.0.0.1:4711', '[::1]:4711', '127.0.0.1, ::1'])
        expect([local, await ask({ 'x-forwarded-for': local })]).toEqual([local, 200])
      for (const other of [
        '203.0.113.9',
        '203.0.113.9, 127.0.0.1',
        '127.0.0.1, 203.0.113.9',
        'unknown',
        'localhost',
        '127.0.0.1x',
        ''
      ])
        expect([other, await ask({ 'x-forwarded-for': other })]).toEqual([other, 401])
      // It says that there was somebody, and not who.
      for (const name of ['via', 'forwarded', 'x-real-ip', 'x-forwarded-proto'])
        expect([name, await ask({ [name]: '127.0.0.1' })]).toEqual([name, 401])
      expect(await ask({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'images.example.com' })).toBe(401)
      expect(await ask({ 'x-forwarded-for': '127.0.0.1' }, '10.0.0.7')).toBe(401)
    }))

  test.each([['10.0.0.0/8'], ['unix'], ['192.0.2.1']])('that is not the one which is trusted is not believed: %s', trusted =>
    withFakeServer({ trustProxy: [trusted] }, async app => {
      expect((await app.inject({ url, headers: { host, 'x-forwarded-for': '127.0.0.1' } })).statusCode).toBe(401)
    })
  )
})

describe('a connection', () => {
  const socket = (facts: object) => facts as Parameters<typeof isLocalSocket>[0]

  test('is of this machine at both ends, or goes over a unix socket', () => {
    for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])
      expect(isLocalSocket(socket({ remoteAddress: address, localAddress: address }))).toBe(true)
    expect(isLocalSocket(socket({}))).toBe(true)
    expect(isLocalSocket(socket({ remoteAddress: '127.0.0.1', localAddress: '192.0.2.1' }))).toBe(false)
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '127.0.0.1.example', '1127.0.0.1', '::2'])
      expect(isLocalSocket(socket({ remoteAddress: address, localAddress: '127.0.0.1' }))).toBe(false)
  })

  // Node knows the other end no more then, and the request it sent is still handled.
  test('whose client has left is nobody’s', () => {
    expect(isLocalSocket(socket({ localAddress: '192.0.2.1' }))).toBe(false)
    expect(isLocalSocket(socket({ destroyed: true }))).toBe(false)
  })
})

describe('trusted proxies', () => {
  test('are addresses and ranges of both kinds', () => {
    const proxies = new TrustedProxies(['10.1.0.0/16', '192.0.2.7', '2001:db8::/32', 'loopback'])
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8::5', '127.0.0.9', '::1', '::ffff:127.0.0.1'])
      expect([address, proxies.trusts(address)]).toEqual([address, true])
    for (const address of ['10.2.0.1', '192.0.2.8', '2001:db9::1', 'localhost', '', '10.1.2.3, 1.1.1.1', undefined])
      expect([address, proxies.trusts(address)]).toEqual([address, false])
    expect(new TrustedProxies(['unix']).trusts(undefined)).toBe(true)
    expect(new TrustedProxies(['fe80::/10']).trusts('fe80::1%eth0')).toBe(true)
  })

  test.each([
    ['localhost'],
    ['10.0.0.0/33'],
    ['::/129'],
    ['0.0.0.0/0'],
    ['::/0'],
    ['10.0.0'],
    ['1'],
    [''],
    ['10.0.0.0/'],
    ['*'],
    ['true']
  ])('are refused as %j', entry => {
    expect(() => new TrustedProxies(['10.0.0.1', entry])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: 'trustProxy[1]' }) as Error
    )
  })
})

describe('behind a proxy that is trusted', () => {
  const KEY = 'key-0123456789abcdef'
  const job = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
  const submit = (app: FastifyInstance, headers: Record<string, string>, remoteAddress = '10.0.0.7') =>
    app.inject({
      url: '/v1/jobs',
      ...job,
      remoteAddress,
      headers: { ...job.headers, authorization: `Bearer ${KEY}`, 'x-forwarded-for': '203.0.113.9', ...headers }
    })

  test('a job is at the address that its client knows', () =>
    withFakeServer({ apiKeys: [KEY], trustProxy: ['10.0.0.0/8'] }, async app => {
      const locationOf = async (prefix: string, from?: string) => {
        const { headers } = await submit(app, { 'x-forwarded-prefix': prefix }, from)
        return (headers['location'] as string).replace(/[0-9a-f-]{36}$/, 'ID')
      }
      expect(await locationOf('/draw')).toBe('/draw/v1/jobs/ID')
      expect(await locationOf('/draw/here/')).toBe('/draw/here/v1/jobs/ID')
      for (const wrong of ['//evil.example', 'https://evil.example', '/a b', '/../x\\', 'draw', '/', '/a//b', '/%2f'])
        expect([wrong, await locationOf(wrong)]).toEqual([wrong, '/v1/jobs/ID'])
      expect(await locationOf('/draw', '192.0.2.1')).toBe('/v1/jobs/ID')
    }))

  test('an image is at the address that its client knows', () =>
    withFakeServer({ apiKeys: [KEY], trustProxy: ['10.0.0.0/8'] }, async (app, backend) => {
      backend.automatic = true
      const image = json({ prompt: 'x', response_format: 'url' })
      const addressOf = async (forwarded: Record<string, string>, remoteAddress = '10.0.0.7') => {
        const reply = await app.inject({
          url: '/v1/images/generations',
          ...image,
          remoteAddress,
          headers: { ...image.headers, host: 'inside:8080', authorization: `Bearer ${KEY}`, ...forwarded }
        })
        return (reply.json() as { data: { url: string }[] }).data[0]!.url.replace(/\/v1\/results\/.*/, '')
      }
      const forwarded = {
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-host': 'draw.example:8443',
        'x-forwarded-proto': 'https',
        'x-forwarded-prefix': '/draw'
      }
      expect(await addressOf(forwarded)).toBe('https://draw.example:8443/draw')
      expect(await addressOf({ ...forwarded, 'x-forwarded-proto': 'javascript' })).toBe('http://draw.example:8443/draw')
      expect(await addressOf(forwarded, '192.0.2.1')).toBe('http://inside:8080')
    }))

  test('its client is what the log names, and its ids count, and nobody else’s', async () => {
    let lines = ''
    const stream = {
      write: (line: string) => {
        lines += line
      }
    }
    await withFakeServer(
      { apiKeys: [KEY], trustProxy: ['10.0.0.7'] },
      async app => {
        const id = async (headers: Record<string, string>, from?: string) =>
          (await submit(app, { 'x-request-id': 'mine', ...headers }, from)).headers['x-request-id']
        expect(await id({})).toBe('mine')
        expect(await id({}, '192.0.2.1')).not.toBe('mine')
        expect(await id({ 'x-forwarded-for': '198.51.100.1, 203.0.113.10:99' })).toBe('mine')
        expect(await id({ 'x-forwarded-for': 'a long story' })).toBe('mine')
      },
      { level: 'info', stream }
    )
    const ips = [...lines.matchAll(/"ip":"([^"]*)"/g)].map(match => match[1])
    expect(ips).toEqual(['203.0.113.9', '192.0.2.1', '203.0.113.10', '10.0.0.7'])
  })

  test('clients without keys have a minute each', () =>
    withFakeServer({ allowUnauthenticated: true, trustProxy: ['10.0.0.7'], limits: { requestsPerMinute: 1 } }, async app => {
      const from = async (address: string, remoteAddress?: string) =>
        (await submit(app, { 'x-forwarded-for': address }, remoteAddress)).statusCode
      expect([await from('203.0.113.1'), await from('203.0.113.1'), await from('203.0.113.2')]).toEqual([202, 429, 202])
      // Whoever is not trusted cannot be somebody else each time.
      expect([await from('203.0.113.3', '192.0.2.1'), await from('203.0.113.4', '192.0.2.1')]).toEqual([202, 429])
    }))
})

test('a server without keys says at its start what that means', async () => {
  for (const [options, message] of [
    [{}, 'whoever connects from this machine may do everything'],
    [{ allowUnauthenticated: true }, 'whoever can connect may do everything'],
    [{ apiKeys: ['key-0123456789abcdef'] }, undefined]
  ] as const) {
    let lines = ''
    const stream = {
      write: (line: string) => {
        lines += line
      }
    }
    await withFakeServer(options, async () => {}, { level: 'warn', stream })
    if (message === undefined) expect(lines).toBe('')
    else expect(lines).toContain(message)
  }
})

test('a request over a socket is known by its own address', () =>
  withFakeServer({}, async app => {
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const status = (headers: Record<string, string>) =>
      new Promise(resolve => {
        request({ port, path: '/v1/models', headers }, reply => resolve(reply.resume().statusCode)).end()
      })
    expect(await status({})).toBe(200)
    expect(await status({ 'x-forwarded-for': '127.0.0.1' })).toBe(401)
    expect(await status({ host: 'images.example.com' })).toBe(401)
  }))
