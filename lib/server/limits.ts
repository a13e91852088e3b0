import { expectInteger } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { LARGEST_SIDE, MOST_STEPS } from '../options/sampling.js'

const MIB = 1024 * 1024

interface Limit {
  fallback: number
  least: number
  most: number
  text: string
}

const limit = (fallback: number, least: number, most: number, text: string): Limit => ({ fallback, least, most, text })

/** What a server takes on. Everything that a request can make large has a limit here. `docs/settings.md` lists these (tested). */
export const LIMITS = {
  maxQueued: limit(64, 1, 100_000, 'requests that may wait'),
  maxQueuedPerKey: limit(64, 1, 100_000, 'requests of one API key that may wait'),
  // Two of the engine's batches on a CPU, one on a GPU: while one half of an image is made, the other half of another can be.
  maxRunningImages: limit(8, 1, 4096, 'images that are made at once'),
  maxImages: limit(10, 1, 1024, 'images of one request'),
  // The longest side that clients of OpenAI's API ask for (1792x1024). The published models were trained up to 1536.
  maxSide: limit(1792, 1, LARGEST_SIDE, 'longest side of an image to make, in pixels'),
  maxInputPixels: limit(25_000_000, 1, LARGEST_SIDE ** 2, 'pixels of an image sent'),
  maxPriorSteps: limit(100, 1, MOST_STEPS, 'steps of the prior'),
  maxDecoderSteps: limit(100, 1, MOST_STEPS, 'steps of the decoder'),
  maxPromptLength: limit(32_000, 1, 32_000, 'characters of a prompt'),
  maxBodyBytes: limit(32 * MIB, 1024, 1024 * MIB, "bytes of a request's body"),
  maxHeldBytes: limit(512 * MIB, 1024, 2 ** 40, 'bytes of bodies, inputs and replies held at once'),
  maxHeldBytesPerKey: limit(256 * MIB, 1024, 2 ** 40, 'bytes of bodies, inputs and replies of one API key held at once'),
  // Timers hold 31 bits of milliseconds.
  timeoutSeconds: limit(600, 1, 2_000_000, 'seconds until a request is given up'),
  resultTtlSeconds: limit(3600, 1, 2_000_000, 'seconds that a finished job can be asked for'),
  maxKeptJobs: limit(1000, 0, 1_000_000, 'finished jobs that are kept; the oldest go first'),
  maxKeptBytes: limit(512 * MIB, 0, 2 ** 40, 'bytes of finished jobs that are kept; the oldest go first'),
  requestsPerMinute: limit(0, 0, 1_000_000, 'requests for work in a minute and key; 0: any number')
} as const satisfies Record<string, Limit>

/**
 * The names of the limits. docs/settings.md has the meaning and the default of each, and `wuerstchen serve --help` too.
 * @useDeclaredType
 */
export type LimitName = keyof typeof LIMITS

/** What a server takes on: an integer for each limit. */
export type Limits = Record<LimitName, number>

export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[]

/** @throws WuerstchenError INVALID_ARGUMENT */
export function limitsOf(options: unknown): Limits {
  const given = knownOptions('limits', options, LIMIT_NAMES)
  const entries = LIMIT_NAMES.map(name => {
    const { fallback, least, most } = LIMITS[name]
    return [name, given[name] === undefined ? fallback : expectInteger(`limits.${name}`, given[name], least, most)] as const
  })
  const limits = Object.fromEntries(entries) as unknown as Limits
  // One key alone may fill the queue, unless it is told otherwise.
  if (given.maxQueuedPerKey === undefined) limits.maxQueuedPerKey = limits.maxQueued
  // Half of all: one key leaves room for the others. A body that may be sent has room in any case.
  if (given.maxHeldBytesPerKey === undefined)
    limits.maxHeldBytesPerKey = Math.min(limits.maxHeldBytes, Math.max(Math.floor(limits.maxHeldBytes / 2), limits.maxBodyBytes))
  return limits
}
