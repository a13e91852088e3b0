import type { Pipeline } from '../pipeline/pipeline.js'
import { modelPath } from '../model/directory.js'
import { WuerstchenError } from '../errors.js'
import { MemoryStore, type StoreObserver } from './jobs/memory-store.js'
import type { JobStore } from './jobs/store.js'
import type { JobResult, Work, WorkEvent } from './jobs/work.js'
import type { Limits } from './limits.js'
import { loadModel } from './models/load.js'
import { readFacts, type ModelFacts } from './models/model.js'
import { ModelRegistry, type RegistryHooks } from './models/registry.js'
import type { Loadable } from './models/slot.js'
import { runWork } from './models/run-work.js'
import type { CheckedOptions } from './options.js'

/** How the service loads a model and runs work on it; tests put something quicker in its place. */
export interface Backend<T extends Loadable = Pipeline> {
  load(facts: ModelFacts): Promise<T>
  run(model: T, work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void): Promise<JobResult>
}

export interface ServiceHooks extends StoreObserver, Pick<RegistryHooks<never>, 'loaded' | 'unloaded'> {}

export type Readiness = { ready: true } | { ready: false; reason: 'loading' | 'failed' | 'stalled' | 'draining' }

/** Everything behind the routes: models, and the jobs that run on them. Knows no HTTP. */
export class Service {
  readonly models: ModelRegistry<Loadable>
  readonly jobs: JobStore
  readonly limits: Limits
  readonly #options: CheckedOptions
  #draining: Promise<void> | undefined
  #failed = false

  private constructor(options: CheckedOptions, models: Service['models'], jobs: JobStore) {
    this.#options = options
    this.limits = options.limits
    this.models = models
    this.jobs = jobs
  }

  /** Reads the models' manifests; loads nothing. */
  static async create<T extends Loadable>(
    options: CheckedOptions,
    hooks: readonly ServiceHooks[],
    backend: Backend<T>
  ): Promise<Service> {
    const facts = await Promise.all(options.models.map(({ name, directory }) => readFacts(name, modelPath(directory))))
    const models = new ModelRegistry<T>(facts, {
      load: each => backend.load(each),
      idleMs: options.idleUnloadSeconds * 1000,
      loaded: (name, ms) => {
        for (const hook of hooks) hook.loaded?.(name, ms)
      },
      unloaded: name => {
        for (const hook of hooks) hook.unloaded?.(name)
      }
    })
    const { maxQueued, maxQueuedPerKey, maxRunningImages, maxHeldBytes, resultTtlSeconds, maxKeptBytes } = options.limits
    const jobs = new MemoryStore(
      (work, signal, emit) =>
        models.slot(work.model).use(async model => {
          signal.throwIfAborted()
          return backend.run(model, work, signal, emit)
        }),
      {
        maxQueued,
        maxQueuedPerOwner: maxQueuedPerKey,
        maxRunningImages,
        maxInputBytes: maxHeldBytes,
        ttlMs: resultTtlSeconds * 1000,
        maxBytes: maxKeptBytes
      },
      hooks
    )
    return new Service(options, models, jobs)
  }

  /** Loads every model and makes a picture with each. */
  async warmUp(): Promise<void> {
    try {
      await this.models.warmUp()
    } catch (error) {
      this.#failed = true
      throw error
    }
  }

  get readiness(): Readiness {
    if (this.#draining !== undefined) return { ready: false, reason: 'draining' }
    if (!this.models.warm) return { ready: false, reason: this.#failed ? 'failed' : 'loading' }
    if (this.jobs.stats().silentMs > this.#options.stallSeconds * 1000) return { ready: false, reason: 'stalled' }
    return { ready: true }
  }

  get draining(): boolean {
    return this.#draining !== undefined
  }

  /** Refuses what waits and what comes, lets what runs end within its time, then frees the models. Safe to call again. */
  async drain(): Promise<void> {
    this.#draining ??= this.#drain()
    await this.#draining
  }

  /** Ends what runs at its next step. */
  abort(): void {
    this.jobs.abort(
      new WuerstchenError('QUEUE_FULL', 'Expected time to finish but the server is shutting down', { subject: 'draining' })
    )
  }

  async #drain(): Promise<void> {
    const timer = setTimeout(() => this.abort(), this.#options.graceSeconds * 1000)
    await this.jobs.drain()
    clearTimeout(timer)
    await this.models.unload()
  }
}

/** The real thing. */
export function pipelineBackend({ pipeline: options }: CheckedOptions): Backend {
  return { load: facts => loadModel(facts, options), run: runWork }
}
