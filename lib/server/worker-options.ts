import { invalid } from '../errors.js'
import { expectBoolean, expectFunction, expectInteger, optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { serverOptions, type CheckedOptions, type ServerOptions } from './options.js'
import { queueAddress, type QueueAddress } from './queue/address.js'
import { resultsPlace, type ResultsPlace } from './queue/files/results-place.js'

/** Options of `createWorker`. */
export interface WorkerOptions
  extends Pick<
    ServerOptions,
    | 'models'
    | 'pipeline'
    | 'apiKeys'
    | 'allowUnauthenticated'
    | 'limits'
    | 'graceSeconds'
    | 'stallSeconds'
    | 'onStall'
    | 'results'
  > {
  /** The queue that it takes work from, as for `createServer`. Defaults to WUERSTCHEN_QUEUE_URL. */
  queue?: string
  /** How many jobs to take in all, from 1; it then ends. Defaults to any number. */
  maxJobs?: number
  /** End when there is nothing to do. Defaults to `false`. */
  once?: boolean
  /**
   * Called when the engine has failed on a GPU in a way after which nothing that runs in this process can be trusted. The job was
   * left to another worker, and this one takes no more: end the process. Defaults to nothing.
   */
  onPoisoned?: () => void
}

const SHARED = [
  'models',
  'pipeline',
  'apiKeys',
  'allowUnauthenticated',
  'limits',
  'graceSeconds',
  'stallSeconds',
  'onStall'
] as const

export interface CheckedWorkerOptions {
  server: CheckedOptions
  queue: { address: QueueAddress; results: ResultsPlace }
  maxJobs: number | undefined
  once: boolean
  onPoisoned: () => void
}

/** @throws WuerstchenError INVALID_ARGUMENT */
export function workerOptions(options: unknown): CheckedWorkerOptions {
  const { queue, results, maxJobs, once, onPoisoned, ...shared } = knownOptions('createWorker', options, [
    ...SHARED,
    'queue',
    'results',
    'maxJobs',
    'once',
    'onPoisoned'
  ])
  const address = queue ?? (process.env['WUERSTCHEN_QUEUE_URL'] || undefined)
  if (address === undefined) throw invalid('queue', 'an address, or WUERSTCHEN_QUEUE_URL,', undefined)
  return {
    server: serverOptions(shared),
    queue: { address: queueAddress(address), results: resultsPlace(results) },
    maxJobs: optional(maxJobs, value => expectInteger('maxJobs', value, 1, Number.MAX_SAFE_INTEGER)),
    once: optional(once, value => expectBoolean('once', value)) ?? false,
    onPoisoned: optional(onPoisoned, value => expectFunction<() => void>('onPoisoned', value)) ?? (() => {})
  }
}
