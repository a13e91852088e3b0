import { Registry } from 'prom-client'
import type { Timings } from '../../index.js'
import type { Duty, JobView, StoreStats } from '../jobs/store.js'
import type { Readiness, Service, ServiceHooks } from '../service.js'
import { addEngineMetrics } from './engine-metrics.js'
import { Instruments } from './instruments.js'
import { KeyMetrics } from './key-metrics.js'
import { processMetrics } from './process-metrics.js'
import type { RequestEnd } from './request-end.js'

const READINESS = ['ready', 'loading', 'failed', 'stalled', 'draining'] as const satisfies readonly (
  | 'ready'
  | Extract<Readiness, { ready: false }>['reason']
)[]

/** Prometheus' view of a server. `docs/monitoring.md` lists the names (tested). */
export class Metrics implements ServiceHooks {
  readonly #registry = new Registry()
  readonly #make = new Instruments(this.#registry)
  readonly #keys = new KeyMetrics(this.#make)
  readonly #requests = this.#make.counter('http_requests_total', 'Requests that are over, by route and status', [
    'method',
    'route',
    'status'
  ])
  readonly #requestSeconds = this.#make.histogram(
    'http_request_duration_seconds',
    'Time until a reply was complete or its client had left',
    ['method', 'route']
  )
  readonly #refusals = this.#make.counter('refusals_total', 'Requests that were answered with 429 or 503, by the reason', [
    'reason',
    'key'
  ])
  readonly #streams = this.#make.gauge('http_open_streams', 'Streams of events that are being sent')
  readonly #jobs = this.#make.counter('jobs_total', 'Jobs that are over, by how they ended', ['model', 'kind', 'state'])
  readonly #failures = this.#make.counter('job_failures_total', 'Jobs that failed, by the code of the error', ['model', 'code'])
  readonly #images = this.#make.counter('images_total', 'Images that were made', ['model'])
  readonly #waitSeconds = this.#make.histogram('job_wait_seconds', 'Time that jobs waited in the queue', ['model'])
  readonly #runSeconds = this.#make.histogram('job_run_seconds', 'Time that jobs ran', ['model', 'kind'])
  readonly #stageSeconds = this.#make.histogram('stage_duration_seconds', 'Time of a job in each stage', ['model', 'stage'])
  readonly #loads = this.#make.counter('model_loads_total', 'Times that a model was loaded', ['model'])
  readonly #loadSeconds = this.#make.gauge('model_load_seconds', 'Time of the last load, with the first image', ['model'])

  /** Prometheus' text format: what this server has, then what its process has. */
  async text(): Promise<string> {
    const [own, process] = await Promise.all([this.#registry.metrics(), processMetrics().metrics()])
    return `${own}\n${process}`
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Adds what is read when somebody asks. */
  watch(service: Service<Duty>): void {
    const { jobs, models, held } = service
    // All gauges are read at once, and the store is asked once for all of them.
    let reading: Promise<StoreStats> | undefined
    const read = () =>
      (reading ??= jobs.stats().finally(() => {
        reading = undefined
      }))
    const now = (name: string, help: string, figure: Exclude<keyof StoreStats, 'models' | 'deadLetters'>) =>
      this.#make.reading(name, help, [], async set => set((await read())[figure]))
    now('queue_depth', 'Jobs that wait', 'queued')
    now('jobs_running', 'Jobs that run', 'running')
    now('images_running', 'Images that are being made', 'runningImages')
    now('jobs_kept', 'Finished jobs that can be asked for', 'kept')
    now('kept_bytes', 'Bytes of finished jobs that are kept', 'keptBytes')
    now('input_bytes', 'Bytes of files and texts that jobs hold', 'inputBytes')
    this.#make.reading(
      'queue_picture_seconds',
      'Time that one worker of the queue would need for what waits',
      ['model'],
      async set => {
        for (const { model, pictureSeconds } of (await read()).models ?? []) set(pictureSeconds, { model })
      }
    )
    this.#make.reading('queue_workers', 'Workers of the queue that take work', ['model'], async set => {
      for (const { model, workers } of (await read()).models ?? []) set(workers, { model })
    })
    this.#make.reading('queue_dead_letters', 'Jobs that have ended their workers', [], async set => {
      const { deadLetters } = await read()
      if (deadLetters !== undefined) set(deadLetters)
    })
    this.#make.reading('held_bytes', 'Bytes of bodies and inputs that count against maxHeldBytes', [], set => set(held.bytes))
    this.#make.reading('readiness', '1 for the status that /readyz has, 0 for the others', ['status'], async set => {
      const state = await service.readiness()
      const status = state.ready ? 'ready' : state.reason
      for (const each of READINESS) set(each === status ? 1 : 0, { status: each })
    })
    addEngineMetrics(this.#make, models)
  }

  request({ method, route, status, ms, key, failure }: RequestEnd): void {
    const labels = { method: method ?? 'none', route: route ?? 'none' }
    this.#requests.inc({ ...labels, status })
    this.#requestSeconds.observe(labels, ms / 1000)
    if (failure?.status === 429 || failure?.status === 503) this.#refusals.inc({ reason: failure.reason, key: key ?? 'none' })
  }

  streamOpened(): void {
    this.#streams.inc()
  }

  streamClosed(): void {
    this.#streams.dec()
  }

  queued(job: JobView): void {
    this.#keys.queued(job)
  }

  started(job: JobView): void {
    this.#keys.started(job)
    this.#waitSeconds.observe({ model: job.model }, (job.startedAt! - job.createdAt) / 1000)
  }

  ended(job: JobView, timings: Timings | null): void {
    const { model, kind, state, startedAt, endedAt, progress, error } = job
    this.#keys.ended(job, timings)
    this.#jobs.inc({ model, kind, state })
    if (state === 'failed') this.#failures.inc({ model, code: error?.code ?? 'INTERNAL' })
    if (startedAt !== null) this.#runSeconds.observe({ model, kind }, (endedAt! - startedAt) / 1000)
    if (timings === null) return
    this.#images.inc({ model }, progress.length)
    const { queued: _queued, total: _total, ...stages } = timings
    for (const [stage, ms] of Object.entries(stages)) if (ms > 0) this.#stageSeconds.observe({ model, stage }, ms / 1000)
  }

  loaded(model: string, ms: number): void {
    this.#loads.inc({ model })
    this.#loadSeconds.set({ model }, ms / 1000)
  }
}
