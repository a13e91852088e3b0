import { request } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { json, until, withFakeServer, type FakeBackend } from '../fake-backend.js'

type Line = Record<string, unknown>

/** A server that listens, with the lines of its log and its metrics. */
async function withObserved(
  options: Parameters<typeof withFakeServer>[0],
  body: (server: {
    app: FastifyInstance
    backend: FakeBackend
    port: number
    /** Lines about requests, of `route` where it is given; waits until there are as many. */
    lines(count: number, route?: string | null): Promise<Line[]>
    metric(name: string): Promise<number | undefined>
  }) => Promise<void>
): Promise<string[]> {
  const written: string[] = []
  const stream = {
    write: (line: string) => {
      written.push(line)
    }
  }
  await withFakeServer(
    options,
    async (app, backend) => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      const of = (route: string | null | undefined) =>
        written
          .map(line => JSON.parse(line) as Line)
          .filter(({ msg, ...line }) => msg === 'request' && (route === undefined || line['route'] === route))
      await body({
        app,
        backend,
        port: (app.server.address() as AddressInfo).port,
        async lines(count, route) {
          await until(() => of(route).length >= count)
          return of(route)
        },
        async metric(name) {
          const { body: text } = await app.inject({ url: '/metrics' })
          const line = text.split('\n').find(each => each.startsWith(`wuerstchen_${name} `))
          return line === undefined ? undefined : Number(line.split(' ').at(-1))
        }
      })
    },
    { level: 'trace', stream }
  )
  return written
}

const GENERATIONS = '/v1/images/generations'
const of = (route: string, status: number, method = 'POST') =>
  `http_requests_total{method="${method}",route="${route}",status="${status}"}`

/** Asks, and gives what leaves again. */
function ask(port: number, body: object, headers: Record<string, string> = {}) {
  const call = request({ port, path: GENERATIONS, method: 'POST', headers: { 'content-type': 'application/json', ...headers } })
  call.on('error', () => {}).end(JSON.stringify(body))
  return call
}

/** Sends bytes, and gives what came back until the connection was closed. */
function send(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket
      .on('data', chunk => {
        answer += String(chunk)
      })
      .on('error', () => {})
      .on('close', () => resolve(answer))
  })
}

describe('a request whose client left', () => {
  test('before there was an answer has status 499 in the log and in the metrics', () =>
    withObserved({}, async ({ backend, port, lines, metric }) => {
      const call = ask(port, { prompt: 'x' }, { 'x-request-id': 'left-early' })
      await until(() => backend.runs.length === 1)
      call.destroy()
      const [line] = await lines(1, GENERATIONS)
      expect(line).toMatchObject({
        requestId: 'left-early',
        method: 'POST',
        status: 499,
        ip: '127.0.0.1',
        key: 'anybody',
        model: 'tiny',
        images: 1,
        job: expect.any(String) as string,
        ms: expect.any(Number) as number,
        bytes: 0
      })
      expect(await metric(of(GENERATIONS, 499))).toBe(1)
      expect(await metric(`http_request_duration_seconds_count{method="POST",route="${GENERATIONS}"}`)).toBe(1)
      expect(await lines(1, GENERATIONS)).toHaveLength(1)
    }))

  test('in the middle of a stream too, which is counted as open until then', () =>
    withObserved({}, async ({ backend, port, lines, metric }) => {
      const call = ask(port, { prompt: 'x', stream: true })
      await new Promise(resolve => {
        call.on('response', reply => reply.once('data', resolve))
      })
      expect(await metric('http_open_streams')).toBe(1)
      await until(() => backend.runs.length === 1)
      call.destroy()
      const [line] = await lines(1, GENERATIONS)
      expect(line).toMatchObject({ status: 499 })
      // The head, and the comment that comes at once.
      expect(line!['bytes']).toBeGreaterThan(100)
      expect([await metric(of(GENERATIONS, 499)), await metric('http_open_streams')]).toEqual([1, 0])
    }))

  test('before its stream begins, which then never counts as open', () =>
    withObserved({}, async ({ app, port, lines, metric }) => {
      const { jobs } = app.wuerstchen
      const submit = jobs.submit.bind(jobs)
      jobs.submit = async (...work) => {
        await lines(1, GENERATIONS)
        return submit(...work)
      }
      const call = ask(port, { prompt: 'x', stream: true })
      setTimeout(() => call.destroy(), 100)
      expect(await lines(1, GENERATIONS)).toMatchObject([{ status: 499 }])
      await until(async () => (await metric('jobs_total{model="tiny",kind="generate",state="cancelled"}')) === 1)
      expect(await metric('http_open_streams')).toBe(0)
    }))

  test('while its body was still coming', () =>
    withObserved({}, async ({ port, lines, metric }) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(
          `POST ${GENERATIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`
        )
      )
      await new Promise(resolve => {
        setTimeout(resolve, 100)
      })
      socket.destroy()
      expect(await lines(1, GENERATIONS)).toMatchObject([{ status: 499 }])
      expect(await metric(of(GENERATIONS, 499))).toBe(1)
    }))
})

test('a head that breaks off has status 499 too', () =>
  withObserved({}, async ({ port, lines }) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('GET /livez HTTP/1.1\r\nHost:'))
    expect(await lines(1, null)).toMatchObject([{ status: 499, method: null }])
  }))

describe('what never became a request of a route', () => {
  const head = `POST ${GENERATIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`

  test.each<[string, string, string | null, string | null, number]>([
    ['bytes that are no HTTP', '\x16\x03\x01 hello\r\n\r\n', null, null, 400],
    ['headers that are too large', `GET /livez HTTP/1.1\r\nHost: localhost\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, null, null, 431],
    ['no host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 'GET', null, 400],
    [
      'an unknown expectation',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nConnection: close\r\n\r\n',
      'GET',
      null,
      417
    ],
    ['an address that cannot be decoded', 'GET /% HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'GET', null, 400],
    ['an unknown address', 'GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'GET', null, 404],
    ['a broken body', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 'POST', GENERATIONS, 400]
  ])('%s has one line and one count', async (_, text, method, route, status) => {
    await withObserved({}, async ({ app, port, lines, metric }) => {
      expect(await send(port, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      await app.inject({ url: '/livez' })
      const found = (await lines(2)).filter(line => line['route'] !== '/livez' && line['route'] !== '/metrics')
      expect(found).toMatchObject([{ method, route, status, requestId: expect.any(String) as string, ip: '127.0.0.1' }])
      expect(await metric(of(route ?? 'none', status, method ?? 'none'))).toBe(1)
    })
  })

  test('a head that does not come in time gets 408, once', () =>
    withObserved({}, async ({ app, port, lines, metric }) => {
      const connected = new Promise(resolve => {
        app.server.once('connection', resolve)
      })
      const answer = send(port, 'GET /livez HTTP/1.1\r\nHost:')
      const socket = await connected
      // As Node does, which looks every 30 seconds.
      app.server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket)
      expect(await answer).toMatch(/^HTTP\/1.1 408 /)
      expect(await lines(1, null)).toMatchObject([{ status: 408, method: null }])
      expect(await metric(of('none', 408, 'none'))).toBe(1)
    }))
})

describe('a line of the log', () => {
  test('has the bytes of the reply, as they came over the connection', () =>
    withObserved({}, async ({ port, lines }) => {
      const answer = await send(port, 'GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      expect(await lines(1, '/v1/models')).toMatchObject([{ status: 200, bytes: Buffer.byteLength(answer) }])
    }))

  test('is for each request of a connection, with its own bytes', () =>
    withObserved({}, async ({ port, lines }) => {
      const one = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nx-request-id: 1\r\n\r\n'
      const answer = await send(port, `${one}${one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`)
      const found = await lines(2, '/livez')
      expect(found.map(line => line['status'])).toEqual([200, 200])
      expect(found.reduce((sum, line) => sum + Number(line['bytes']), 0)).toBe(Buffer.byteLength(answer))
    }))

  test('cannot be broken out of, by nothing that a request has', async () => {
    const BREAK = '\n{"level":60,"msg":"forged"}'
    const escaped = encodeURIComponent(BREAK)
    const written = await withObserved({}, async ({ app, backend, port, lines }) => {
      backend.automatic = true
      await app.inject({ url: GENERATIONS, ...json({ prompt: `x${BREAK}`, user: `u${BREAK}` }) })
      await app.inject({
        url: `/v1/jobs/${escaped}`,
        headers: { traceparent: escaped, tracestate: escaped, 'x-request-id': escaped }
      })
      for (const text of [
        `GET /${escaped} HTTP/1.1\r\nHost: local${escaped}\r\nx-request-id: a\x0b{"b":1}\r\nConnection: close\r\n\r\n`,
        `GE\nT /livez HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        `GET /livez\r{"level":60} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        `GET /livez HTTP/1.1\r\nHost: localhost\r\nuser-agent: x\r{"level":60}\r\n\r\n`,
        `GET /livez HTTP/1.1\r\nHost: localhost\r\nauthorization: Bearer \u0085\u2028{"level":60}\r\nConnection: close\r\n\r\n`
      ])
        await send(port, text)
      await lines(6)
    })
    expect(written.length).toBeGreaterThan(6)
    for (const text of written) {
      expect(text).toMatch(/^[^\r\n]*\n$/)
      expect(JSON.parse(text)).toMatchObject({ level: expect.any(Number) as number })
      expect((JSON.parse(text) as Line)['level']).toBeLessThan(60)
    }
    expect(written.filter(text => (JSON.parse(text) as Line)['msg'] === 'forged')).toEqual([])
  })

  test('has the ids of the trace that its caller brought, and the reply and the job have them too', () =>
    withObserved({}, async ({ app, backend, lines }) => {
      backend.automatic = true
      const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
      const { headers, body } = await app.inject({
        url: '/v1/jobs',
        ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }),
        headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${spanId}-01` }
      })
      expect(JSON.parse(body)).toMatchObject({ trace_id: traceId })
      expect(headers['traceresponse']).toBe(`00-${traceId}-${spanId}-01`)
      expect(await lines(1, '/v1/jobs')).toMatchObject([{ trace_id: traceId, span_id: spanId, trace_flags: 1 }])
      const without = await app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
      expect([without.json().trace_id, without.headers['traceresponse']]).toEqual([null, undefined])
    }))
})

describe('a refusal is counted by its reason', () => {
  test.each<[string, Parameters<typeof withFakeServer>[0], number]>([
    ['maxQueued', { limits: { maxQueued: 1, maxRunningImages: 1 } }, 503],
    ['maxQueuedPerKey', { limits: { maxQueuedPerKey: 1, maxRunningImages: 1 } }, 429],
    ['maxHeldBytes', { limits: { maxBodyBytes: 1024, maxHeldBytes: 1024, maxHeldBytesPerKey: 1024 } }, 503],
    ['rate_limit_exceeded', { limits: { requestsPerMinute: 2 } }, 429]
  ])('%s', async (reason, options, status) => {
    await withObserved(options, async ({ app, backend, metric, lines }) => {
      const call = () => app.inject({ url: GENERATIONS, ...json({ prompt: 'x'.repeat(500) }) })
      const first = call()
      await until(() => backend.runs.length === 1)
      const second = call()
      await until(async () => (await app.wuerstchen.jobs.stats()).queued + backend.runs.length >= 2)
      expect((await call()).statusCode).toBe(status)
      expect(await metric(`refusals_total{reason="${reason}",key="anybody"}`)).toBeGreaterThan(0)
      expect((await lines(1, GENERATIONS))[0]).toMatchObject({ status, error: expect.any(String) as string })
      backend.automatic = true
      for (const { finish } of backend.runs) finish()
      await Promise.all([first, second])
    })
  })

  test('shutdown, also where it cuts a stream short, whose status was sent long ago', () =>
    withObserved({}, async ({ app, backend, metric, lines }) => {
      const stream = app.inject({ url: GENERATIONS, ...json({ prompt: 'x', stream: true }) })
      await until(() => backend.runs.length === 1)
      await app.wuerstchen.abort()
      expect((await stream).body).toContain('shutting_down')
      expect(await lines(1, GENERATIONS)).toMatchObject([{ status: 200, error: 'shutting_down' }])
      expect(await metric('refusals_total{reason="shutdown",key="anybody"}')).toBe(1)
    }))

  test('a model that cannot be loaded', () =>
    withObserved({}, async ({ app, backend, metric }) => {
      const call = app.inject({ url: GENERATIONS, ...json({ prompt: 'x' }) })
      await until(() => backend.runs.length === 1)
      backend.runs[0]!.fail(new WuerstchenError('MODEL_INVALID', 'x', { subject: null }))
      expect((await call).statusCode).toBe(503)
      expect(await metric('refusals_total{reason="model_invalid",key="anybody"}')).toBe(1)
      expect(await metric('job_failures_total{model="tiny",code="MODEL_INVALID"}')).toBe(1)
    }))
})
