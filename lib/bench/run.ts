import { Pipeline, type LoadProgress } from '../index.js'
import { readModel } from '../internal.js'
import { measureColdStarts, type ColdStart } from './cold-start.js'
import { environmentOf, type Environment } from './environment.js'
import { measureBatches, measureLatency, peakBytes, warmUp, type Batch, type Latency } from './latency.js'
import { measureArrivals, measureClients, requestsOf, type ClosedLoad, type OpenLoad } from './load.js'
import type { Bench, BenchSettings, Measure } from './settings.js'

/** Everything that was measured; milliseconds and bytes. docs/benchmark.md says what each figure means. */
export interface Report {
  /** Version of this format. */
  formatVersion: 1
  date: string
  machine: Environment
  model: { name: string; hash: string; artefacts: { device: string; stage: string; file: string; kind: string; dtype: string }[] }
  settings: BenchSettings
  load: { milliseconds: number /** Weights, per stage. */; bytes: Record<string, number> }
  /** The first calls, in order. */
  warmUp: number[]
  latency?: Latency
  batches?: Batch[]
  clients?: ClosedLoad[]
  arrivals?: OpenLoad
  coldStart?: ColdStart
  /** High-water mark of the measuring process. */
  peakBytes: number
}

export interface BenchHooks {
  signal?: AbortSignal
  onLoad?: (progress: LoadProgress) => void
  onProgress?: (measure: string, done: number, total: number) => void
}

/** Loads a model and measures it. Nothing else should run meanwhile. */
export async function runBench(
  modelDir: string | undefined,
  options: Bench['pipeline'],
  given: BenchSettings,
  hooks: BenchHooks
): Promise<Report> {
  const { signal, onLoad, onProgress } = hooks
  const started = performance.now()
  await using pipeline = await Pipeline.load(modelDir, {
    ...options,
    ...(signal && { signal }),
    ...(onLoad && { onProgress: onLoad })
  })
  const loaded = performance.now() - started
  const total = picturesOf(given)
  let done = 0
  const settings = { ...given, sampling: { ...(await sizeOf(pipeline)), ...given.sampling } }
  const bench: Bench = {
    settings,
    model: pipeline.model.path,
    pipeline: options,
    signal,
    tick: (measure, images = 1) => onProgress?.(measure, (done += images), total)
  }
  const wanted = (measure: Measure) => settings.measures.includes(measure)
  const {
    model: { name, hash },
    artefacts
  } = pipeline
  const report: Report = {
    formatVersion: 1,
    date: new Date().toISOString(),
    machine: environmentOf(options.threads),
    model: {
      name,
      hash,
      artefacts: artefacts.map(({ device, stage, file, kind, dtype }) => ({ device, stage, file, kind, dtype }))
    },
    settings,
    load: { milliseconds: loaded, bytes: {} },
    warmUp: await warmUp(pipeline, bench),
    peakBytes: 0
  }
  if (wanted('latency')) report.latency = await measureLatency(pipeline, bench)
  if (wanted('batches')) report.batches = await measureBatches(pipeline, bench)
  if (wanted('clients')) report.clients = await measureClients(pipeline, bench)
  if (wanted('arrivals'))
    report.arrivals = await measureArrivals(pipeline, bench, settings.rate ?? (await sustainableRate(pipeline, bench, report)))
  report.load.bytes = pipeline.stats().bytes
  report.peakBytes = peakBytes()
  // This comes last, after the weights have been freed: on a small machine, two processes with the model may not fit.
  await pipeline.dispose()
  if (wanted('cold-start')) report.coldStart = await measureColdStarts(bench)
  return report
}

/** The model's default size, so that a report says what was drawn. */
async function sizeOf(pipeline: Pipeline): Promise<{ width: number; height: number }> {
  const {
    manifest: {
      defaults: { width, height }
    }
  } = await readModel(pipeline.model.path)
  return { width, height }
}

/** 80 % of what one client gets done. The engine is busy, but the queue does not grow for ever. */
async function sustainableRate(pipeline: Pipeline, bench: Bench, { latency }: Report): Promise<number> {
  const { endToEnd } = latency ?? (await measureLatency(pipeline, { ...bench, tick: () => {} }))
  return 800 / endToEnd.p50
}

/** How many images the progress bar waits for. */
function picturesOf(settings: BenchSettings): number {
  const { measures, warmUp, runs, batchSizes, clients, requests, coldStarts } = settings
  const pictures: Record<Measure, number> = {
    latency: runs,
    batches: batchSizes.reduce((sum, batch) => sum + batch * (runs + 1), 0),
    clients: clients.reduce((sum, level) => sum + requestsOf({ settings }, level), 0),
    arrivals: requests,
    'cold-start': coldStarts
  }
  return measures.reduce((sum, measure) => sum + pictures[measure], warmUp)
}
