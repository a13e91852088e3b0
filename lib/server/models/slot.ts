import type { PipelineStats } from '../../index.js'
import { WuerstchenError, type ErrorCode } from '../../errors.js'
import { refused } from '../jobs/failure.js'

export type LoadableStats = Pick<
  PipelineStats,
  'queued' | 'running' | 'batchSizes' | 'bytes' | 'stages' | 'tasks' | 'silentMs' | 'doing'
>

/** What a slot holds; `Pipeline` is one. */
export interface Loadable {
  dispose(): Promise<void>
  stats?(): LoadableStats
}

/** How long an engine has finished nothing although it has work, and the stage it is in. */
export type Silence = Pick<LoadableStats, 'silentMs' | 'doing'>

const NO_SILENCE: Silence = { silentMs: 0, doing: null }

export interface SlotHooks<T> {
  /** Rejects once the signal is aborted. */
  load(signal: AbortSignal): Promise<T>
  /** Makes an image with the model; where it fails, the model is freed again. */
  warmUp?(model: T, signal: AbortSignal): Promise<void>
  /** Milliseconds without use after which it is unloaded; 0: never. */
  idleMs: number
  loaded?(ms: number): void
  /** It could not be loaded, and that is tried again after a while. */
  failed?(error: unknown, retryMs: number): void
  unloaded?(): void
}

export type SlotState = 'unloaded' | 'loading' | 'ready' | 'failed'

/**
 * What a model is to those who want to know whether they may send work. `ready` is also one that was unloaded for want of work,
 * and `failed` also one whose load is tried again: neither changes until that load ends.
 */
export type SlotHealth = { status: 'ready' | 'loading' } | { status: 'failed'; code: ErrorCode }

/** Long enough to do something else between two tries, short enough for somebody who has just repaired a file. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [5000, 300_000]

/** One model: loaded when work wants it, unloaded when none has wanted it for a while. */
export class ModelSlot<T extends Loadable> {
  readonly #hooks: SlotHooks<T>
  #model: Promise<T> | undefined
  /** The model from when its engine exists until it is freed. */
  #held: T | undefined
  #freeing: { since: number; doing: Silence['doing'] } | undefined
  #unloading: Promise<void> | undefined
  /** Aborted when the slot is closed. */
  readonly #closing = new AbortController()
  #users = 0
  #timer: NodeJS.Timeout | undefined
  #state: SlotState = 'unloaded'
  /** Whether it was loaded and has not failed since. A model that was unloaded for want of work counts as loaded. */
  #warm = false
  #failure: ErrorCode | undefined
  #retryMs = FIRST_RETRY_MS
  #retry: NodeJS.Timeout | undefined

  constructor(hooks: SlotHooks<T>) {
    this.#hooks = hooks
  }

  get state(): SlotState {
    return this.#state
  }

  get health(): SlotHealth {
    if (this.#failure !== undefined) return { status: 'failed', code: this.#failure }
    return { status: this.#warm ? 'ready' : 'loading' }
  }

  /** The model where it is loaded; never loads it. */
  async peek(): Promise<T | undefined> {
    return this.#state === 'ready' ? this.#model : undefined
  }

  /**
   * The silence of the engine, also while it makes its first image and while it is freed. An engine that is freed ends at its
   * next step, so until then it is silent.
   */
  silence(): Silence {
    if (this.#freeing !== undefined) return { silentMs: performance.now() - this.#freeing.since, doing: this.#freeing.doing }
    return this.#held?.stats?.() ?? NO_SILENCE
  }

  /**
   * Runs `work` with the model, loading it first if need be.
   * @param signal ends the waiting for a load, and not the load: others may wait for it too
   */
  async use<R>(work: (model: T) => Promise<R>, signal?: AbortSignal): Promise<R> {
    this.#closing.signal.throwIfAborted()
    clearTimeout(this.#timer)
    this.#users++
    try {
      return await work(await unlessAborted(this.#loaded(), signal))
    } finally {
      if (--this.#users === 0) this.#unloadLater()
    }
  }

  async #loaded(): Promise<T> {
    if (this.#model !== undefined) return this.#model
    const model = this.#load()
    this.#model = model
    try {
      return await model
    } catch (error) {
      // If it was unloaded meanwhile, nobody wants it any more.
      if (this.#model === model) this.#fail(error)
      throw error
    }
  }

  #fail(error: unknown): void {
    const ms = this.#retryMs
    this.#retryMs = Math.min(2 * ms, LAST_RETRY_MS)
    this.#state = 'failed'
    this.#warm = false
    this.#model = undefined
    this.#failure = WuerstchenError.is(error) ? error.code : 'INTERNAL'
    // Whatever fails then comes here again.
    this.#retry = setTimeout(() => void this.use(async () => {}).catch(() => {}), ms).unref()
    this.#hooks.failed?.(error, ms)
  }

  /** An engine that still works on what was given up is not idle. */
  #unloadLater(): void {
    if (this.#hooks.idleMs === 0 || this.#model === undefined) return
    this.#timer = setTimeout(() => {
      if (this.silence().silentMs > 0) this.#unloadLater()
      else void this.unload()
    }, this.#hooks.idleMs).unref()
  }

  /** Frees the model, once nobody uses it. */
  async unload(): Promise<void> {
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
    const model = this.#model
    if (model === undefined) return this.#unloading
    this.#model = undefined
    this.#state = 'unloaded'
    // A model that failed to load has nothing to free.
    this.#unloading = model
      .then(
        loaded => this.#free(loaded),
        () => {}
      )
      .then(() => this.#hooks.unloaded?.())
    await this.#unloading
  }

  /** Ends a load that runs, and frees the model for good: whoever wants it after that is refused. */
  async close(): Promise<void> {
    this.#closing.abort(refused('shutdown'))
    await this.unload()
  }

  async #load(): Promise<T> {
    const { signal } = this.#closing
    const started = performance.now()
    clearTimeout(this.#retry)
    this.#state = 'loading'
    // Two of it at once might not fit into memory.
    await this.#unloading
    const model = await this.#hooks.load(signal)
    this.#held = model
    try {
      await this.#hooks.warmUp?.(model, signal)
    } catch (error) {
      await this.#free(model)
      throw error
    }
    this.#state = 'ready'
    this.#warm = true
    this.#failure = undefined
    this.#retryMs = FIRST_RETRY_MS
    this.#hooks.loaded?.(performance.now() - started)
    return model
  }

  async #free(model: T): Promise<void> {
    const { silentMs, doing } = this.silence()
    this.#freeing = { since: performance.now() - silentMs, doing }
    try {
      await model.dispose()
    } finally {
      this.#freeing = undefined
      this.#held = undefined
    }
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    if (signal.aborted) abort()
  })
}
