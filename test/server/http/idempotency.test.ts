import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { STATUSES } from '../../../lib/server/api/statuses.js'
import { isAnswer } from '../../../lib/server/jobs/idempotency.js'
import type { ErrorCode } from '../../../lib/errors.js'
import { WuerstchenError } from '../../../lib/errors.js'
import { heartPicture, json, until, withFakeServer } from '../fake-backend.js'

const image = await heartPicture()
const GENERATIONS = '/v1/images/generations'

function send(app: FastifyInstance, url: string, body: object, key: string | string[] = 'k', more: object = {}) {
  const { method, payload, headers } = json(body)
  return app.inject({ method, url, payload, headers: { ...headers, 'idempotency-key': key, ...more } })
}

/** Everything that makes work. */
const WORK: readonly (readonly [url: string, body: object, other: object])[] = [
  [GENERATIONS, { prompt: 'x' }, { prompt: 'y' }],
  ['/v1/images/edits', { image: image.toString('base64'), prompt: 'x' }, { image: image.toString('base64'), prompt: 'x', n: 2 }],
  ['/v1/images/variations', { image: image.toString('base64') }, { image: image.toString('base64'), strength: 0.1 }],
  ['/v1/image-embeddings', { prompt: 'x' }, { prompt: 'x', seed: 1 }],
  [
    '/v1/jobs',
    { endpoint: GENERATIONS, body: { prompt: 'x' } },
    { endpoint: GENERATIONS, body: { prompt: 'x', priority: 'low' } }
  ]
]

describe.each(WORK)('%s with a key', (url, body, other) => {
  test('does its work once, for whoever asks meanwhile and for whoever asks later', () =>
    withFakeServer({}, async (app, backend) => {
      const first = send(app, url, body)
      await until(() => backend.runs.length === 1)
      const second = send(app, url, body)
      // Of the same meaning: fields in another order, and those that are left out as null.
      const third = send(app, url, { user: null, ...Object.fromEntries(Object.entries(body).reverse()) }, '"k"')
      await until(() => app.wuerstchen.jobs.stats().then(({ running }) => running === 1))
      backend.runs[0]!.finish()
      const fourth = send(app, url, body)
      const replies = await Promise.all(url === '/v1/jobs' ? [first, second, fourth] : [first, second, third, fourth])
      const answer = (text: string) => text.replace(/"(created|created_at|started_at|finished_at|expires_at)":\d+/g, '')
      const told = replies.map(({ statusCode, body }) => [statusCode, url === '/v1/jobs' ? JSON.parse(body).id : answer(body)])
      expect(replies[0]!.statusCode).toBe(url === '/v1/jobs' ? 202 : 200)
      for (const each of told) expect(each).toEqual(told[0])
      expect(replies.map(({ headers }) => headers['idempotency-replayed'])).toEqual([
        undefined,
        ...replies.slice(1).map(() => 'true')
      ])
      expect(backend.runs).toHaveLength(1)
    }))

  test('is refused for another request', () =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      await send(app, url, body)
      const reply = await send(app, url, other)
      expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([409, 'idempotency_key_reused'])
      expect((await send(app, url, other, 'l')).statusCode).toBeLessThan(300)
    }))
})

test('a form and JSON with the same content are the same request, files by their bytes', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const url = '/v1/images/variations'
    await send(app, url, { image: image.toString('base64'), seed: 3 })
    const form = (bytes: Buffer) =>
      app.inject({
        method: 'POST',
        url,
        payload: Buffer.concat([
          Buffer.from('--b\r\ncontent-disposition: form-data; name="seed"\r\n\r\n3\r\n'),
          Buffer.from('--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'),
          bytes,
          Buffer.from('\r\n--b--\r\n')
        ]),
        headers: { 'content-type': 'multipart/form-data; boundary=b', 'idempotency-key': 'k' }
      })
    expect((await form(image)).headers['idempotency-replayed']).toBe('true')
    // Of the same length: its last bytes are a checksum.
    const changed = Buffer.from(image)
    changed[changed.length - 1]! ^= 1
    expect((await form(changed)).statusCode).toBe(409)
  }))

test('keys belong to their callers', () =>
  withFakeServer({ apiKeys: [`ann:${'a'.repeat(16)}`, `bob:${'b'.repeat(16)}`] }, async (app, backend) => {
    backend.automatic = true
    const ids = []
    for (const key of ['a', 'b', 'a']) {
      const reply = await send(app, '/v1/jobs', { endpoint: GENERATIONS, body: { prompt: 'x' } }, 'k', {
        authorization: `Bearer ${key.repeat(16)}`
      })
      ids.push(reply.json<{ id: string }>().id)
    }
    expect(ids[1]).not.toBe(ids[0])
    expect(ids[2]).toBe(ids[0])
  }))

test.each([[''], ['a b'], ['a,b'], ['"a'], ['""'], ['"a\\b"'], ['a"b'], ['ü'], ['x'.repeat(256)], ['"a", "b"'], ['a;b=1']])(
  'the key %j is refused',
  key =>
    withFakeServer({}, async (app, backend) => {
      const reply = await send(app, GENERATIONS, { prompt: 'x' }, key)
      expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([400, 'invalid_idempotency_key'])
      expect(backend.runs).toEqual([])
    })
)

test('two keys are refused', () =>
  withFakeServer({}, async app => {
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const status = await new Promise(resolve => {
      const headers = ['host', 'localhost', 'content-type', 'application/json', 'idempotency-key', 'a', 'idempotency-key', 'a']
      request({ port, path: GENERATIONS, method: 'POST', headers: headers as never }, reply => {
        reply.resume()
        resolve(reply.statusCode)
      }).end('{"prompt":"x"}')
    })
    expect(status).toBe(400)
  }))

test('a client that leaves finds the answer when it comes back', () =>
  withFakeServer({}, async (app, backend) => {
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' }
    const call = request({ port, path: GENERATIONS, method: 'POST', headers }).on('error', () => {})
    call.end('{"prompt":"x"}')
    await until(() => backend.runs.length === 1)
    call.destroy()
    await until(() => new Promise(resolve => app.server.getConnections((_, count) => resolve(count === 0))))
    // What follows from the end of a connection takes some turns.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(backend.runs[0]!.signal.aborted).toBe(false)
    backend.runs[0]!.finish()
    const reply = await send(app, GENERATIONS, { prompt: 'x' })
    expect([reply.statusCode, backend.runs.length]).toEqual([200, 1])
    const jobs = (await app.inject({ url: '/v1/jobs' })).json<{ data: { id: string }[] }>().data
    expect((await app.inject({ url: `/v1/jobs/${jobs[0]!.id}/result` })).statusCode).toBe(200)
  }))

test('a stream that is asked for again has the same images', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const body = { prompt: 'x', stream: true, n: 2 }
    const events = async () => (await send(app, GENERATIONS, body)).body.match(/^event: .*$/gm)
    expect(await events()).toEqual(await events())
    expect((await send(app, GENERATIONS, { ...body, stream: false })).statusCode).toBe(409)
    expect(backend.runs).toHaveLength(1)
  }))

test('embeddings that were made by a key are in the list of jobs, with their result', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const { data } = (await send(app, '/v1/image-embeddings', { prompt: 'x' })).json<{ data: string }>()
    const { first_id } = (await app.inject({ url: '/v1/jobs' })).json<{ first_id: string }>()
    expect((await app.inject({ url: `/v1/jobs/${first_id}/result` })).json()).toMatchObject({ object: 'list', data })
  }))

test('what a second request brings is not held by the job of the first', () =>
  withFakeServer({}, async (app, backend) => {
    const body = { endpoint: '/v1/images/variations', body: { image: image.toString('base64') } }
    await send(app, '/v1/jobs', body)
    await until(() => backend.runs.length === 1)
    const { bytes } = app.wuerstchen.held
    for (let count = 0; count < 3; count++) await send(app, '/v1/jobs', body)
    await until(() => app.wuerstchen.held.bytes <= bytes)
    backend.runs[0]!.finish()
    await until(() => app.wuerstchen.held.bytes === 0)
  }))

test('failures after which it is worth asking again are no answers, and all others are', () => {
  for (const [code, { retryAfter }] of Object.entries(STATUSES))
    expect([code, isAnswer({ state: 'failed', error: { code: code as ErrorCode, message: 'm', subject: null } })]).toEqual([
      code,
      retryAfter === undefined
    ])
})

test('a failure that passes by frees the key', () =>
  withFakeServer({}, async (app, backend) => {
    const first = send(app, GENERATIONS, { prompt: 'x' })
    await until(() => backend.runs.length === 1)
    backend.runs[0]!.fail(new WuerstchenError('OUT_OF_MEMORY', 'm', { subject: null }))
    expect((await first).headers['retry-after']).toBeDefined()
    const second = send(app, GENERATIONS, { prompt: 'x' })
    await until(() => backend.runs.length === 2)
    backend.runs[1]!.finish()
    expect((await second).statusCode).toBe(200)
  }))
