import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { NO_TIME } from '../../support/fake-native.js'
import { json, resultOf, until, withFakeServer } from '../fake-backend.js'

const GENERATIONS = '/v1/images/generations'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

const exporter = new InMemorySpanExporter()

beforeEach(() => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
})
afterEach(() => {
  trace.disable()
  context.disable()
  exporter.reset()
})

const named = (name: string) => exporter.getFinishedSpans().filter(span => span.name === name)
const parentOf = ({ parentSpanContext }: ReadableSpan) => parentSpanContext?.spanId
const ms = ([seconds, nanoseconds]: readonly [number, number]) => seconds * 1000 + nanoseconds / 1e6

async function spans(count: number): Promise<ReadableSpan[]> {
  await until(() => exporter.getFinishedSpans().length >= count)
  return exporter.getFinishedSpans()
}

describe('with an SDK of OpenTelemetry', () => {
  test('a request has a span below that of its caller, a job one below that, with queue and stages as its children', () =>
    withFakeServer({}, async (app, backend) => {
      const reply = app.inject({
        url: GENERATIONS,
        ...json({ prompt: 'a secret', seed: 1 }),
        headers: {
          'content-type': 'application/json',
          host: 'localhost:8080',
          'user-agent': 'curl/8',
          traceparent: `00-${TRACE}-${SPAN}-01`,
          tracestate: 'foo=1'
        },
        query: { sig: 'private' }
      })
      await until(() => backend.runs.length === 1)
      const [run] = backend.runs
      for (const [stage, steps] of [
        ['prior', 2],
        ['decoder', 1]
      ] as const) {
        for (let step = 1; step <= steps; step++) run!.emit({ type: 'step', image: 0, stage, step, steps })
        await new Promise(resolve => {
          setTimeout(resolve, 20)
        })
      }
      run!.finish({ ...resultOf(run!.work), timings: { ...NO_TIME, prior: 3, decoder: 5 } } as ReturnType<typeof resultOf>)
      const { headers } = await reply
      await spans(5)

      const [request] = named(`POST ${GENERATIONS}`)
      expect(request!.kind).toBe(SpanKind.SERVER)
      expect(request!.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: SPAN, isRemote: true })
      expect(request!.spanContext().traceState?.serialize()).toBe('foo=1')
      // https://opentelemetry.io/docs/specs/semconv/http/http-spans/
      expect(request!.attributes).toMatchObject({
        'http.request.method': 'POST',
        'http.route': GENERATIONS,
        'http.response.status_code': 200,
        'url.path': GENERATIONS,
        'url.scheme': 'http',
        'server.address': 'localhost',
        'server.port': 8080,
        'client.address': '127.0.0.1',
        'network.protocol.version': '1.1',
        'user_agent.original': 'curl/8'
      })
      expect(headers['traceresponse']).toBe(`00-${TRACE}-${request!.spanContext().spanId}-01`)

      const [job] = named('job generate')
      expect(parentOf(job!)).toBe(request!.spanContext().spanId)
      expect(job!.attributes).toMatchObject({
        'wuerstchen.model': 'tiny',
        'wuerstchen.job.kind': 'generate',
        'wuerstchen.job.images': 1,
        'wuerstchen.job.state': 'succeeded'
      })
      const children = ['queue', 'stage prior', 'stage decoder'].map(name => named(name)[0]!)
      for (const child of children) {
        expect(parentOf(child)).toBe(job!.spanContext().spanId)
        expect(child.spanContext().traceId).toBe(TRACE)
        expect(ms(child.startTime)).toBeGreaterThanOrEqual(Math.floor(ms(job!.startTime)))
        expect(ms(child.endTime)).toBeLessThanOrEqual(Math.ceil(ms(job!.endTime)))
      }
      const [, prior, decoder] = children
      expect(ms(prior!.endTime)).toBeLessThanOrEqual(ms(decoder!.endTime))
      const text = JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes]))
      expect(text).not.toMatch(/secret|private/)
    }))

  test('a model that is loaded for a job is one of its children', () =>
    withFakeServer({}, async (app, backend) => {
      const { models } = app.wuerstchen
      await models.slot(models.all[0]!.name).unload()
      backend.automatic = true
      await app.inject({ url: GENERATIONS, ...json({ prompt: 'x' }) })
      await until(() => named('job generate').length === 1)
      expect(named('model load').map(parentOf)).toEqual([named('job generate')[0]!.spanContext().spanId])
    }))

  test('what fails says why', () =>
    withFakeServer({}, async (app, { runs }) => {
      const reply = app.inject({ url: GENERATIONS, ...json({ prompt: 'x' }) })
      await until(() => runs.length === 1)
      runs[0]!.fail(new WuerstchenError('OUT_OF_MEMORY', 'x', { subject: null }))
      await reply
      await until(() => named(`POST ${GENERATIONS}`).length === 1)
      for (const [span, type] of [
        [named('job generate')[0]!, 'OUT_OF_MEMORY'],
        [named(`POST ${GENERATIONS}`)[0]!, 'out_of_memory']
      ] as const) {
        expect(span.status.code).toBe(SpanStatusCode.ERROR)
        expect(span.attributes['error.type']).toBe(type)
      }
    }))

  test('a fault of the client is no fault of the server', () =>
    withFakeServer({}, async app => {
      await app.inject({ url: GENERATIONS, ...json({ prompt: 7 }) })
      await until(() => named(`POST ${GENERATIONS}`).length === 1)
      const [span] = named(`POST ${GENERATIONS}`)
      expect([span!.status.code, span!.attributes['error.type']]).toEqual([SpanStatusCode.UNSET, 'invalid_value'])
    }))

  test('a job that is cancelled while it waits has been in the queue, and nowhere else', () =>
    withFakeServer({ limits: { maxRunningImages: 1 } }, async (app, backend) => {
      const send = () => app.inject({ url: '/v1/jobs', ...json({ endpoint: GENERATIONS, body: { prompt: 'x' } }) })
      await send()
      const { id } = (await send()).json()
      expect(backend.runs).toHaveLength(1)
      await app.inject({ method: 'DELETE', url: `/v1/jobs/${id}` })
      const [job] = named('job generate')
      expect(job!.attributes).toMatchObject({
        'wuerstchen.job.id': id,
        'wuerstchen.job.state': 'cancelled',
        'error.type': 'job_cancelled'
      })
      const children = exporter.getFinishedSpans().filter(span => parentOf(span) === job!.spanContext().spanId)
      expect(children.map(({ name }) => name)).toEqual(['queue'])
    }))

  test('the line in the log has the ids of the span', async () => {
    const lines: Record<string, unknown>[] = []
    const write = (line: string) => {
      lines.push(JSON.parse(line) as Record<string, unknown>)
    }
    await withFakeServer(
      {},
      async app => {
        await app.inject({ url: '/v1/models', headers: { traceparent: `00-${TRACE}-${SPAN}-01` } })
        await until(() => lines.some(({ route }) => route === '/v1/models'))
      },
      { level: 'info', stream: { write } }
    )
    const [span] = named('GET /v1/models')
    expect(lines.find(({ route }) => route === '/v1/models')).toMatchObject({
      trace_id: TRACE,
      span_id: span!.spanContext().spanId,
      trace_flags: 1
    })
  })
})

test('a caller that does not record is not recorded, and its context is passed on', () =>
  withFakeServer({}, async (app, backend) => {
    backend.automatic = true
    const { headers } = await app.inject({
      url: GENERATIONS,
      ...json({ prompt: 'x' }),
      headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-${SPAN}-00` }
    })
    expect(headers['traceresponse']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
    expect(exporter.getFinishedSpans()).toEqual([])
  }))

test('without an SDK there are no spans, and the context of the caller is passed on as it came', async () => {
  trace.disable()
  await withFakeServer({}, async app => {
    const { headers } = await app.inject({ url: '/v1/models', headers: { traceparent: `00-${TRACE}-${SPAN}-01` } })
    expect(headers['traceresponse']).toBe(`00-${TRACE}-${SPAN}-01`)
  })
})
