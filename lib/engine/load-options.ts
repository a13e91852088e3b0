import { FLOAT_DTYPES, type FloatDtype } from '../dtypes.js'
import { invalid } from '../errors.js'
import { environmentThreads, expectDeviceName } from '../load/device.js'
import { expectBoolean, expectFunction, expectInteger, expectOneOf, optional, withDefault } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { copyList, isList } from '../options/read.js'
import { expectSignal } from '../options/signal.js'

/**
 * `auto`, `cpu`, `cuda` or `cuda:1`; a list of 1 to 64 makes one engine for each, and may be one text with commas (`cpu,cuda:1`);
 * an object places the two halves on separate devices.
 */
export type DeviceOption =
  | string
  | readonly string[]
  | {
      /** The device of the prior, its text encoder and the previewer. */
      prior: string
      /** The device of all other stages. */
      decoder: string
    }

/** How far loading a model is. */
export interface LoadProgress {
  /** `verify`: the size and hash of a file have been checked. `load`: a program has been loaded. */
  phase: 'verify' | 'load'
  /** The stage that the file or the program belongs to, as in `prior`. */
  stage: string
  /** How many of `total` are done, from 1. */
  done: number
  /** How many files there are to check, or programs to load, for one device. */
  total: number
}

/** How `Pipeline.load` loads a model. */
export interface PipelineOptions {
  /** Where to run. Defaults to WUERSTCHEN_DEVICE, else `auto`: the first GPU that can be used, else the CPU. */
  device?: DeviceOption
  /** Defaults to `float32` on the CPU and `float16` on a GPU, or to another dtype if the model lacks the default. */
  dtype?: FloatDtype
  /**
   * Threads within an operation, 1 to 1024, per CPU engine. Defaults to WUERSTCHEN_THREADS, else the cores, shared between
   * engines.
   */
  threads?: number
  /** `sequential` holds one stage's weights at a time. Defaults to `all`. */
  residency?: 'all' | 'sequential'
  /**
   * Most images in one batch, 1 to 256. Left out, it is 8 on a GPU. On a CPU it then depends on the size of the images and the
   * threads: up to two threads take 8 images of 128×128, 4 of 256×256, 2 of 384×384, 1 of 512×512.
   */
  maxBatch?: number
  /** Check every file's size and sha256 before it is opened. Defaults to `true`. */
  verify?: boolean
  /** Cancels loading: `load` then rejects with the signal's reason. */
  signal?: AbortSignal
  /**
   * Called after each file that was checked and each program that was loaded. If it throws, or if it is async and rejects, `load`
   * rejects with that error. It runs in the async context of the call.
   */
  onProgress?: (progress: LoadProgress) => unknown
}

/** The names of the options of `Pipeline.load`. */
export const LOAD_OPTIONS = ['device', 'dtype', 'threads', 'residency', 'maxBatch', 'verify', 'signal', 'onProgress'] as const

/** The options of `Pipeline.load`, checked, with all defaults that do not depend on the machine. */
export function loadOptions(options: unknown) {
  const given = knownOptions('Pipeline.load', options, LOAD_OPTIONS)
  // What cannot be used is refused here, and not when the engine is made: a server makes it in the background.
  if (given.threads === undefined) environmentThreads()
  return {
    device: expectDevice(withDefault(given.device, process.env['WUERSTCHEN_DEVICE'] || 'auto')),
    dtype: optional(given.dtype, value => expectOneOf('dtype', value, FLOAT_DTYPES)),
    threads: optional(given.threads, value => expectInteger('threads', value, 1, 1024)),
    residency: optional(given.residency, value => expectOneOf('residency', value, ['all', 'sequential'] as const)) ?? 'all',
    maxBatch: optional(given.maxBatch, value => expectInteger('maxBatch', value, 1, 256)),
    verify: optional(given.verify, value => expectBoolean('verify', value)) ?? true,
    signal: optional(given.signal, value => expectSignal('signal', value)),
    onProgress: optional(given.onProgress, value => expectFunction<(progress: LoadProgress) => unknown>('onProgress', value))
  }
}

export type LoadOptions = ReturnType<typeof loadOptions>

/** A list may come as one comma-separated string, from the environment or the command line. */
function expectDevice(device: unknown): DeviceOption {
  if (typeof device === 'string' && device.includes(',')) return expectDevices(device.split(',').map(part => part.trim()))
  if (typeof device === 'string') {
    expectDeviceName('device', device)
    return device
  }
  const list = copyList('device', device, 64)
  if (list !== undefined && list.length > 0 && list.every(item => typeof item === 'string')) return expectDevices(list)
  if (device !== null && typeof device === 'object' && !isList(device)) {
    const { prior, decoder } = knownOptions('device', device, ['prior', 'decoder'])
    if (typeof prior === 'string' && typeof decoder === 'string') {
      expectDeviceName('device.prior', prior)
      expectDeviceName('device.decoder', decoder)
      return { prior, decoder }
    }
  }
  throw invalid('device', 'auto, cpu, cuda, cuda:<index>, a list of those, or { prior, decoder }', list ?? device)
}

function expectDevices(names: string[]): string[] {
  for (const [index, name] of names.entries()) expectDeviceName(names.length === 1 ? 'device' : `device[${index}]`, name)
  return names
}
