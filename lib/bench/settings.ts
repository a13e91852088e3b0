import { invalid } from '../errors.js'
import { defined } from '../options/known.js'
import { expectInteger, expectNumber, expectOneOf } from '../options/is.js'
import type { GenerateOptions, PipelineOptions } from '../index.js'

export const MEASURES = ['latency', 'batches', 'clients', 'arrivals', 'cold-start'] as const
export type Measure = (typeof MEASURES)[number]

/** What each call asks for. Everything else is the model's default. */
export type Sampling = Pick<GenerateOptions, 'prompt' | 'width' | 'height' | 'priorSteps' | 'decoderSteps'>

export interface BenchSettings {
  measures: readonly Measure[]
  sampling: Sampling
  /** Image k of a measure uses seed + k. */
  seed: number
  /** Calls before the first that counts. */
  warmUp: number
  /** Counted calls of `latency`, and of each size of `batches`. */
  runs: number
  batchSizes: readonly number[]
  clients: readonly number[]
  /** Requests of `arrivals`, and of each number of `clients`. Each client makes at least two. */
  requests: number
  /** Arrivals a second; undefined: 80 % of what a single client gets done. */
  rate: number | undefined
  coldStarts: number
}

/** What the measures share. */
export interface Bench {
  settings: BenchSettings
  model: string
  pipeline: Omit<PipelineOptions, 'signal' | 'onProgress'>
  signal: AbortSignal | undefined
  /** Called after each call, with the images it made. */
  tick: (measure: Measure | 'warm-up', images?: number) => void
}

/** What `settingsOf` takes: any of the settings, with the sampling beside them. */
export interface GivenSettings extends Partial<Omit<BenchSettings, 'sampling'>>, Sampling {
  full?: boolean
}

/** These take a minute with the packaged model on two cores. */
const QUICK = { warmUp: 2, runs: 5, batchSizes: [1, 2, 4], clients: [1, 4], requests: 12, coldStarts: 2 }
const FULL = { warmUp: 3, runs: 30, batchSizes: [1, 2, 4, 8], clients: [1, 2, 4, 8, 16], requests: 100, coldStarts: 7 }

/** Settings with their defaults, checked. Errors name the flags of the command line. */
export function settingsOf({ full, prompt, width, height, priorSteps, decoderSteps, ...given }: GivenSettings): BenchSettings {
  const settings = { measures: MEASURES, seed: 0, rate: undefined, ...(full === true ? FULL : QUICK), ...given }
  for (const measure of expectList('--measures', settings.measures)) expectOneOf('--measures', measure, MEASURES)
  for (const size of expectList('--batch-sizes', settings.batchSizes)) expectInteger('--batch-sizes', size, 1, 256)
  for (const clients of expectList('--clients', settings.clients)) expectInteger('--clients', clients, 1, 1024)
  expectInteger('--seed', settings.seed, 0, 2 ** 32 - 1)
  expectInteger('--warm-up', settings.warmUp, 0, 1000)
  expectInteger('--runs', settings.runs, 1, 100_000)
  expectInteger('--requests', settings.requests, 1, 100_000)
  expectInteger('--cold-starts', settings.coldStarts, 1, 1000)
  if (settings.rate !== undefined) expectNumber('--rate', settings.rate, 1e-6, 1e6)
  const sampling = defined({ width, height, priorSteps, decoderSteps })
  // Sizes ascend, because the memory after each is the process's high-water mark.
  const batchSizes = [...new Set(settings.batchSizes)].sort((a, b) => a - b)
  return { ...settings, batchSizes, sampling: { prompt: prompt ?? 'a red heart on a white background', ...sampling } }
}

function expectList<T>(name: string, value: readonly T[]): readonly T[] {
  if (value.length > 0) return value
  throw invalid(name, 'at least one value', value)
}
