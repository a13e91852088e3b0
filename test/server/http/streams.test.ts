import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { COMPLETED, ERROR_REPLY, PARTIAL_IMAGE } from '../../../lib/server/api/replies.js'
import { JOB } from '../../../lib/server/api/jobs.js'
import { fakeImage, json, until, withFakeServer, type FakeBackend } from '../fake-backend.js'

interface Event {
  id?: string
  event: string
  data: Record<string, unknown>
}

/** The events of a stream's text; comments are left out. */
function eventsOf(text: string): Event[] {
  return text
    .split('\n\n')
    .map(block => block.split('\n').filter(line => line !== '' && !line.startsWith(':')))
    .filter(lines => lines.length > 0)
    .map(lines => {
      const fields = Object.fromEntries(lines.map(line => line.split(/: (.*)/s, 2))) as {
        id?: string
        event: string
        data: string
      }
      return { ...fields, data: JSON.parse(fields.data) as Record<string, unknown> }
    })
}

const stream = (app: FastifyInstance, body: object, url = '/v1/images/generations') =>
  app.inject({ url, ...json({ prompt: 'x', stream: true, ...body }) })

async function run(backend: FakeBackend, index = 0) {
  await until(() => backend.runs.length > index)
  return backend.runs[index]!
}

const preview = (image: number, index: number) => ({
  type: 'preview' as const,
  image,
  index,
  file: Buffer.from('rough'),
  format: 'png' as const,
  width: 32,
  height: 32
})

describe('a stream of pictures', () => {
  test("sends previews and pictures when they are there, as OpenAI's events", () =>
    withFakeServer({}, async (app, backend) => {
      const reply = stream(app, { n: 2, partial_images: 2 })
      const { work, emit, finish } = await run(backend)
      expect(work).toMatchObject({ images: 2, previews: 2 })
      emit(preview(1, 0))
      emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2 })
      emit({ type: 'image', image: 1, result: fakeImage(work, 1) })
      emit({ type: 'image', image: 0, result: fakeImage(work, 0) })
      finish()
      const { statusCode, headers, body } = await reply
      expect([statusCode, headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8'])
      const events = eventsOf(body)
      expect(events.map(({ event, data }) => [event, data['image_index']])).toEqual([
        ['image_generation.partial_image', 1],
        ['image_generation.completed', 1],
        ['image_generation.completed', 0]
      ])
      expect(PARTIAL_IMAGE.parse(events[0]!.data)).toMatchObject({
        type: 'image_generation.partial_image',
        partial_image_index: 0,
        size: '32x32'
      })
      expect(COMPLETED.parse(events[1]!.data)).toMatchObject({
        b64_json: Buffer.from('picture 1').toString('base64'),
        seed: 101,
        size: '128x128',
        output_format: 'png',
        background: 'opaque'
      })
    }))

  test('sends at its end what no event told of', () =>
    withFakeServer({}, async (app, backend) => {
      const reply = stream(app, { n: 2 })
      const { finish } = await run(backend)
      finish()
      expect(eventsOf((await reply).body).map(({ data }) => data['image_index'])).toEqual([0, 1])
    }))

  test('ends with an error where the work fails', () =>
    withFakeServer({}, async (app, backend) => {
      const reply = stream(app, {})
      const { fail } = await run(backend)
      fail(new WuerstchenError('OUT_OF_MEMORY', 'on /dev/something', { subject: 'decoder' }))
      const [{ event, data }] = eventsOf((await reply).body) as [Event]
      expect(event).toBe('error')
      expect(ERROR_REPLY.parse(data).error).toMatchObject({
        code: 'out_of_memory',
        message: 'The memory of this machine did not suffice'
      })
    }))

  test('is refused like any request before it begins', () =>
    withFakeServer({}, async app => {
      expect((await stream(app, { nope: 1 })).statusCode).toBe(400)
    }))
})

describe('the form of a reply', () => {
  const ask = (app: FastifyInstance, accept: string, body: object = {}) =>
    app.inject({
      url: '/v1/images/generations',
      ...json({ prompt: 'x', ...body }),
      headers: { accept, 'content-type': 'application/json' }
    })

  test.each([
    ['image/png', {}, 'png'],
    ['image/webp', {}, 'webp'],
    ['image/*', {}, 'png'],
    ['image/*', { output_format: 'jpeg' }, 'jpeg'],
    ['text/html, image/jpeg;q=0.9, application/json;q=0.1', {}, 'jpeg']
  ])('is the picture itself for %s with %j', (accept, body, format) =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      const { statusCode, headers, rawPayload } = await ask(app, accept, body)
      expect([statusCode, headers['content-type'], headers['x-wuerstchen-seed'], headers['content-disposition']]).toEqual([
        200,
        `image/${format}`,
        '100',
        `inline; filename="wuerstchen-100.${format}"`
      ])
      expect(rawPayload).toEqual(Buffer.from('picture 0'))
      expect(headers['server-timing']).toContain('prior;dur=3.0')
      expect(backend.runs[0]!.work).toMatchObject({ file: { format } })
    })
  )

  test.each(['*/*', 'application/json', 'application/json, image/png;q=0.5'])('is JSON for %s', accept =>
    withFakeServer({}, async (app, backend) => {
      backend.automatic = true
      expect((await ask(app, accept)).json()).toMatchObject({
        output_format: 'png',
        data: [{ seed: 100 }],
        model: 'tiny',
        timings: { prior: 3 }
      })
    })
  )

  test.each([
    ['text/html', {}, 406],
    ['image/gif', {}, 406],
    ['image/png', { output_format: 'jpeg' }, 406],
    ['image/png', { n: 2 }, 400]
  ])('cannot be %s with %j', (accept, body, status) =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = await ask(app, accept, body)
      expect(reply.statusCode).toBe(status)
      expect(ERROR_REPLY.parse(reply.json()).error.message).toContain('Expected')
      expect(runs).toHaveLength(0)
    })
  )
})

describe('a client that goes away', () => {
  /** Sends a request over a socket; the connection is cut by the function that comes back. */
  async function send(app: FastifyInstance, body: object) {
    const { port } = app.server.address() as AddressInfo
    const call = request({
      port,
      path: '/v1/images/generations',
      method: 'POST',
      headers: { 'content-type': 'application/json' }
    })
    call.on('error', () => {}).end(JSON.stringify({ prompt: 'x', ...body }))
    return () => call.destroy()
  }

  test.each([false, true])("ends its running work, and nobody else's, with stream %s", streamed =>
    withFakeServer({}, async (app, backend) => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      const leave = await send(app, { stream: streamed })
      await run(backend)
      await send(app, {})
      const neighbour = await run(backend, 1)
      leave()
      await until(() => backend.runs[0]!.signal.aborted)
      expect(neighbour.signal.aborted).toBe(false)
      neighbour.finish()
    })
  )

  test('takes its waiting work along, which never starts', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, async (app, backend) => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      await send(app, {})
      const first = await run(backend)
      const leave = await send(app, {})
      await until(async () => (await app.wuerstchen.jobs.stats()).queued === 1)
      leave()
      await until(async () => (await app.wuerstchen.jobs.stats()).queued === 0)
      first.finish()
      await until(async () => (await app.wuerstchen.jobs.stats()).running === 0)
      expect(backend.runs).toHaveLength(1)
    }))
})

describe('a job', () => {
  const create = (app: FastifyInstance, body: object = {}) =>
    app.inject({ url: '/v1/jobs', ...json({ endpoint: '/v1/images/generations', body: { prompt: 'x', ...body } }) })

  /** Events over a real connection. The first one has come when this resolves: whoever sends the others is listened to. */
  async function follow(app: FastifyInstance, url: string) {
    const { body } = await fetch(`${await app.listen({ port: 0, host: '127.0.0.1' })}${url}/events`)
    const text = body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]() as AsyncIterator<string>
    let received = ''
    const read = async () => {
      const { done, value } = await text.next()
      if (done !== true) received += value
      return done === true
    }
    while (eventsOf(received.slice(0, received.lastIndexOf('\n\n') + 2)).length === 0) await read()
    const [first] = eventsOf(received)
    return {
      first,
      rest: async () => {
        while (!(await read()));
        return eventsOf(received)
      }
    }
  }

  test('is taken on, told of, and fetched', () =>
    withFakeServer({}, async (app, backend) => {
      const created = await create(app, { n: 1, priority: 'high' })
      expect(created.statusCode).toBe(202)
      const job = JOB.parse(created.json())
      expect(job).toMatchObject({
        status: 'running',
        endpoint: '/v1/images/generations',
        model: 'tiny',
        priority: 'high',
        progress: [null],
        error: null
      })
      const url = created.headers['location'] as string
      const early = await app.inject({ url: `${url}/result` })
      expect([early.statusCode, early.json().error.code]).toEqual([409, 'job_not_finished'])
      const { emit, work, finish } = await run(backend)
      const events = await follow(app, url)
      emit({ type: 'step', image: 0, stage: 'decoder', step: 2, steps: 12 })
      expect((await app.inject({ url })).json()).toMatchObject({ progress: [{ stage: 'decoder', step: 2, steps: 12 }] })
      emit(preview(0, 0))
      emit({ type: 'image', image: 0, result: fakeImage(work, 0) })
      finish()
      const rest = await events.rest()
      expect(events.first).toMatchObject({ event: 'job.status', data: { status: 'running' } })
      expect(rest.at(-1)).toMatchObject({ event: 'job.status', data: { status: 'succeeded', queue_position: null } })
      expect(new Set(rest.map(({ event }) => event))).toEqual(
        new Set(['job.status', 'job.progress', 'job.partial_image', 'job.image'])
      )
      expect((await app.inject({ url: `${url}/result` })).json()).toMatchObject({ data: [{ seed: 100 }] })
      expect((await app.inject({ url: `${url}/result`, headers: { accept: 'image/png' } })).rawPayload).toEqual(
        Buffer.from('picture 0')
      )
      // Whoever connects again is told where things stand.
      expect(eventsOf((await app.inject({ url: `${url}/events`, headers: { 'last-event-id': '3' } })).body)).toMatchObject([
        { event: 'job.status', data: { status: 'succeeded' } }
      ])
    }))

  test('is cancelled, waiting or running', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, async (app, { runs }) => {
      const [running, waiting] = [
        (await create(app)).headers['location'] as string,
        (await create(app)).headers['location'] as string
      ]
      expect((await app.inject({ url: waiting })).json()).toMatchObject({ status: 'queued', queue_position: 0 })
      for (const url of [waiting, running]) {
        const reply = await app.inject({ method: 'DELETE', url })
        expect(reply.json()).toMatchObject({ status: 'cancelled', error: { code: 'job_cancelled' } })
        expect((await app.inject({ url: `${url}/result` })).statusCode).toBe(409)
      }
      expect(runs.map(({ signal }) => signal.aborted)).toEqual([true])
      const list = (await app.inject({ url: '/v1/jobs?limit=1' })).json()
      expect([list.data.length, list.has_more]).toEqual([1, true])
      expect((await app.inject({ url: `/v1/jobs?limit=1&after=${list.data[0].id}` })).json()).toMatchObject({ has_more: false })
    }))

  test('that failed says why, wherever it is asked', () =>
    withFakeServer({}, async (app, backend) => {
      const url = (await create(app)).headers['location'] as string
      const { fail } = await run(backend)
      fail(new WuerstchenError('TIMEOUT', 'Expected it sooner', { subject: null }))
      await until(async () => (await app.wuerstchen.jobs.stats()).running === 0)
      expect((await app.inject({ url })).json()).toMatchObject({
        status: 'failed',
        error: { code: 'timeout', type: 'server_error' }
      })
      expect((await app.inject({ url: `${url}/result` })).statusCode).toBe(504)
    }))

  test('that is known no longer is gone', () =>
    withFakeServer({ limits: { maxKeptBytes: 0 } }, async (app, backend) => {
      backend.automatic = true
      const url = (await create(app)).headers['location'] as string
      await until(async () => (await app.wuerstchen.jobs.stats()).running === 0)
      for (const path of [url, `${url}/events`, `${url}/result`]) expect((await app.inject({ url: path })).statusCode).toBe(410)
      expect((await app.inject({ method: 'DELETE', url })).json()).toMatchObject({ error: { code: 'job_expired' } })
    }))

  test.each([
    [{ endpoint: '/v1/nothing', body: {} }, 'endpoint'],
    [{ endpoint: '/v1/images/generations' }, 'body'],
    [{ endpoint: '/v1/images/generations', body: { prompt: 1 } }, 'body.prompt'],
    [{ endpoint: '/v1/images/generations', body: { prompt: 'x', stream: true } }, 'body.stream'],
    [{ endpoint: '/v1/images/generations', body: { prompt: 'x' }, priority: 'high' }, 'priority']
  ])('is refused as %j', (body, param) =>
    withFakeServer({}, async app => {
      const reply = await app.inject({ url: '/v1/jobs', ...json(body) })
      expect([reply.statusCode, reply.json().error.param]).toEqual([400, param])
    })
  )
})
