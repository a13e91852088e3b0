import type * as OpenTelemetry from '@opentelemetry/api'
import type { Attributes, Context, Span, SpanOptions, Tracer } from '@opentelemetry/api'
import { VERSION } from '../../version.js'
import type { Timings } from '../../index.js'
import type { JobView } from '../jobs/store.js'
import type { WorkEvent } from '../jobs/work.js'
import type { ServiceHooks } from '../service.js'
import type { RequestEnd } from './request-end.js'
import type { TraceContext } from './trace-context.js'

type Api = typeof OpenTelemetry

/** What is known of a request when its head has been read. */
export interface RequestBegin {
  method: string
  path: string
  route: string | null
  scheme: string
  host: string
  httpVersion: string
  /** Undefined over a unix socket. */
  address: string | undefined
  userAgent: string | undefined
}

/** A job that is traced, with the times of its stages' last steps. */
interface TracedJob {
  span: Span
  context: Context
  model: string
  startedAt: number | null
  steps: Map<string, { first: number; last: number }>
}

/**
 * Spans of requests and jobs, by OpenTelemetry's API and its semantic conventions. There are spans where the process has set up
 * an OpenTelemetry SDK. Where it has not, the API makes none, and ids of callers are passed on as they came.
 */
export class Tracing implements ServiceHooks {
  readonly #api: Api
  readonly #tracer: Tracer
  readonly #jobs = new Map<string, TracedJob>()

  constructor(api: Api) {
    this.#api = api
    this.#tracer = api.trace.getTracer('wuerstchen', VERSION)
  }

  /** Undefined where `@opentelemetry/api` is not installed. */
  static async find(): Promise<Tracing | undefined> {
    try {
      return new Tracing(await import('@opentelemetry/api'))
    } catch {
      return undefined
    }
  }

  /**
   * Begins a request's span. Where an instrumentation of the HTTP server has begun one already, that is used, and ended by it.
   * @returns the context of what the request causes, and what ends the span
   */
  request(begin: RequestBegin, caller: TraceContext | null): { context: TraceContext | null; end: (end: RequestEnd) => void } {
    const active = this.#api.trace.getActiveSpan()
    if (active?.isRecording() === true) return { context: contextOf(active), end: () => {} }
    const span = this.#start(
      begin.route === null ? begin.method : `${begin.method} ${begin.route}`,
      { kind: this.#api.SpanKind.SERVER, attributes: attributesOf(begin) },
      caller
    )
    return { context: contextOf(span) ?? caller, end: end => this.#endRequest(span, end) }
  }

  queued({ id, kind, model, trace, createdAt, progress, priority }: JobView): void {
    const span = this.#start(
      `job ${kind}`,
      {
        startTime: createdAt,
        attributes: {
          'wuerstchen.job.id': id,
          'wuerstchen.job.kind': kind,
          'wuerstchen.job.priority': priority,
          'wuerstchen.job.images': progress.length,
          'wuerstchen.model': model
        }
      },
      trace
    )
    if (!span.isRecording()) return
    const context = this.#api.trace.setSpan(this.#api.ROOT_CONTEXT, span)
    this.#jobs.set(id, { span, context, model, startedAt: null, steps: new Map() })
  }

  started({ id, createdAt, startedAt }: JobView): void {
    const job = this.#jobs.get(id)
    if (job === undefined) return
    job.startedAt = startedAt
    this.#child(job, 'queue', createdAt, startedAt!)
  }

  reported(id: string, event: WorkEvent): void {
    const job = this.#jobs.get(id)
    if (job === undefined) return
    const now = Date.now()
    if (event.type === 'step') {
      const stage = job.steps.get(event.stage)
      if (stage === undefined) job.steps.set(event.stage, { first: now, last: now })
      else stage.last = now
    } else {
      job.span.addEvent(event.type, { 'wuerstchen.image.index': event.image })
    }
  }

  loaded(model: string, ms: number): void {
    const now = Date.now()
    for (const job of this.#jobs.values())
      if (job.model === model && job.startedAt !== null)
        this.#child(job, 'model load', Math.max(job.startedAt, now - ms), now, { 'wuerstchen.model': model })
  }

  ended({ id, state, error, createdAt, startedAt, endedAt }: JobView, timings: Timings | null): void {
    const job = this.#jobs.get(id)
    if (job === undefined) return
    this.#jobs.delete(id)
    if (startedAt === null) this.#child(job, 'queue', createdAt, endedAt!)
    for (const [stage, { first, last }] of job.steps) {
      // A step is told of when it has ended, so the first one began before: the engine has measured the time of all.
      const ms = timings?.[stage as keyof Timings] ?? 0
      this.#child(job, `stage ${stage}`, Math.max(startedAt!, Math.min(first, last - ms)), last, { 'wuerstchen.stage': stage })
    }
    job.span.setAttribute('wuerstchen.job.state', state)
    if (error !== null) job.span.setAttribute('error.type', error.code)
    if (state === 'failed') job.span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
    job.span.end(endedAt!)
  }

  #child({ context }: TracedJob, name: string, startTime: number, endTime: number, attributes: Attributes = {}): void {
    this.#tracer.startSpan(name, { startTime, attributes }, context).end(endTime)
  }

  #start(name: string, options: SpanOptions, parent: TraceContext | null): Span {
    const { trace, ROOT_CONTEXT, createTraceState } = this.#api
    if (parent === null) return this.#tracer.startSpan(name, options, ROOT_CONTEXT)
    const { traceId, spanId, flags: traceFlags, state } = parent
    const context = trace.setSpanContext(ROOT_CONTEXT, {
      traceId,
      spanId,
      traceFlags,
      isRemote: true,
      ...(state === '' ? {} : { traceState: createTraceState(state) })
    })
    return this.#tracer.startSpan(name, options, context)
  }

  #endRequest(span: Span, { status, key, failure }: RequestEnd): void {
    span.setAttribute('http.response.status_code', status)
    if (key !== null) span.setAttribute('enduser.id', key)
    if (failure !== null || status >= 400) span.setAttribute('error.type', failure?.code ?? String(status))
    if ((failure?.status ?? status) >= 500) span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
    span.end()
  }
}

/** Null for a span that is none: where nothing is recorded and the caller brought no context. */
function contextOf(span: Span): TraceContext | null {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  if (/^0*$/.test(traceId)) return null
  return { traceId, spanId, flags: traceFlags, state: traceState?.serialize() ?? '' }
}

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/. The query is left out: it can have a signature in it. */
function attributesOf({ method, path, route, scheme, host, httpVersion, address, userAgent }: RequestBegin): Attributes {
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  return {
    'http.request.method': method,
    'url.path': path,
    'url.scheme': scheme,
    'network.protocol.version': httpVersion,
    'server.address': name,
    ...(port === undefined ? {} : { 'server.port': Number(port) }),
    'client.address': address,
    ...(route === null ? {} : { 'http.route': route }),
    ...(userAgent === undefined ? {} : { 'user_agent.original': userAgent })
  }
}
