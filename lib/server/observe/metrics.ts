import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Timings } from '../../index.js'
import type { JobView, StoreStats } from '../jobs/store.js'
import type { LoadableStats } from '../models/slot.js'
import type { Service, ServiceHooks } from '../service.js'

/** From an image of the embedded model to one of the published size on few cores. */
const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000]

/** Prometheus' view of a server. `docs/operations.md` lists the names (tested). */
export class Metrics implements ServiceHooks {
  readonly registry = new Registry()
  readonly #requests = this.#counter('http_requests_total', 'Requests by route and status', ['method', 'route', 'status'])
  readonly #requestSeconds = this.#histogram('http_request_duration_seconds', 'Time until a reply was complete', [
    'method',
    'route'
  ])
  readonly #jobs = this.#counter('jobs_total', 'Jobs that are over, by how they ended', ['model', 'kind', 'state'])
  readonly #images = this.#counter('images_total', 'Images that were made', ['model'])
  readonly #waitSeconds = this.#histogram('job_wait_seconds', 'Time that jobs waited in the queue', ['model'])
  readonly #runSeconds = this.#histogram('job_run_seconds', 'Time that jobs ran', ['model', 'kind'])
  readonly #stageSeconds = this.#histogram('stage_duration_seconds', 'Time of a job in each stage', ['model', 'stage'])
  readonly #loads = this.#counter('model_loads_total', 'Times that a model was loaded', ['model'])
  readonly #loadSeconds = this.#gauge('model_load_seconds', 'Time of the last load, with the first image', ['model'])

  constructor() {
    // Among them the delay of the event loop, and the process's memory.
    collectDefaultMetrics({ register: this.registry })
  }

  /** Adds what is read when somebody asks. */
  watch({ jobs, models }: Service): void {
    // All gauges are read at once, and the store is asked once for all of them.
    let reading: Promise<StoreStats> | undefined
    const read = () =>
      (reading ??= jobs.stats().finally(() => {
        reading = undefined
      }))
    const now = (name: string, help: string, figure: keyof StoreStats) =>
      this.#gauge(name, help, [], async gauge => gauge.set((await read())[figure]))
    now('queue_depth', 'Jobs that wait', 'queued')
    now('jobs_running', 'Jobs that run', 'running')
    now('images_running', 'Images that are being made', 'runningImages')
    now('jobs_kept', 'Finished jobs that can be asked for', 'kept')
    now('kept_bytes', 'Bytes of finished jobs that are kept', 'keptBytes')
    now('input_bytes', 'Bytes of files and texts that jobs hold', 'inputBytes')
    this.#gauge('model_loaded', '1 where a model is in memory', ['model'], gauge => {
      for (const { name } of models.all) gauge.set({ model: name }, models.slot(name).state === 'ready' ? 1 : 0)
    })
    this.#engine(
      'engine_runs',
      'Runs of the engine by how many images shared them, since the model was loaded',
      'batch',
      models,
      ({ batchSizes }) => labelled('batch', batchSizes)
    )
    this.#engine('engine_bytes', "Memory of a model's stages", 'stage', models, ({ bytes }) => labelled('stage', bytes))
    this.#engine('engine_tasks', 'Images to encode and latents to decode that wait or run', undefined, models, ({ tasks }) => [
      [{}, tasks]
    ])
    this.#gauge(
      'engine_silent_seconds',
      'Time in which an engine has finished nothing although it has work',
      ['model'],
      gauge => {
        for (const { name } of models.all) gauge.set({ model: name }, models.slot(name).silence().silentMs / 1000)
      }
    )
  }

  request(method: string, route: string, status: number, ms: number): void {
    this.#requests.inc({ method, route, status })
    this.#requestSeconds.observe({ method, route }, ms / 1000)
  }

  started({ model, createdAt, startedAt }: JobView): void {
    this.#waitSeconds.observe({ model }, (startedAt! - createdAt) / 1000)
  }

  ended({ model, kind, state, startedAt, endedAt, progress }: JobView, timings: Timings | null): void {
    this.#jobs.inc({ model, kind, state })
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

  #engine(
    name: string,
    help: string,
    label: string | undefined,
    models: Service['models'],
    read: (stats: LoadableStats) => [labels: Record<string, string>, figure: number][]
  ): void {
    this.#gauge(name, help, label === undefined ? ['model'] : ['model', label], async gauge => {
      gauge.reset()
      for (const { name: model } of models.all) {
        const loaded = await models.slot(model).peek()
        if (loaded?.stats === undefined) continue
        for (const [labels, figure] of read(loaded.stats())) gauge.set({ model, ...labels }, figure)
      }
    })
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `wuerstchen_${name}`, help, labelNames, registers: [this.registry] })
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({ name: `wuerstchen_${name}`, help, labelNames, buckets: SECONDS, registers: [this.registry] })
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void | Promise<void> = () => {}): Gauge {
    return new Gauge({
      name: `wuerstchen_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        return collect(this)
      }
    })
  }
}

function labelled(label: string, figures: Record<string, number>): [Record<string, string>, number][] {
  return Object.entries(figures).map(([key, figure]) => [{ [label]: key }, figure])
}
