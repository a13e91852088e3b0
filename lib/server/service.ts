import { modelPath } from '../internal.js'
import { HeldBytes } from './jobs/held-bytes.js'
import { MemoryStore } from './jobs/memory-store.js'
import { Roll } from './jobs/roll.js'
import type { JobStore, StoreObserver, WorkSource } from './jobs/store.js'
import { serveOrders, type WorkerOptions } from './jobs/worker.js'
import type { Limits } from './limits.js'
import type { Backend } from './models/backend.js'
import { readFacts } from './models/model.js'
import { ModelRegistry, type ModelHealth, type RegistryHooks } from './models/registry.js'
import type { Loadable } from './models/slot.js'
import type { CheckedOptions } from './options.js'
import { Watchdog, type Stall, type StallHooks } from './watchdog.js'

/** Makes the store of a server, which tells the observers of its jobs. */
export type StoreFactory = (limits: Limits, observers: readonly StoreObserver[]) => JobStore & WorkSource

/** What a service stands on. */
export interface Foundation<T extends Loadable> {
  backend: Backend<T>
  /** Defaults to a store in the memory of this process. */
  store?: StoreFactory
}

export interface ServiceHooks
  extends StoreObserver,
    StallHooks,
    Pick<RegistryHooks<never>, 'loaded' | 'unloaded'>,
    Pick<WorkerOptions, 'failed'> {
  loadFailed?: NonNullable<RegistryHooks<never>['failed']>
}

export type Readiness =
  | { ready: true; models: ModelHealth[] }
  | { ready: false; reason: 'loading' | 'failed'; models: ModelHealth[] }
  | { ready: false; reason: 'draining' }
  | { ready: false; reason: 'stalled'; stalled: Stall }

/** Everything behind the routes: models, and the jobs that run on them. Knows no HTTP. */
export class Service {
  readonly models: ModelRegistry<Loadable>
  readonly jobs: JobStore
  readonly limits: Limits
  /** What requests, their jobs and their replies hold in this process. */
  readonly held: HeldBytes
  readonly #options: CheckedOptions
  readonly #watchdog: Watchdog
  /** Ends the worker of this process. */
  readonly #stopWorker: () => Promise<void>
  #draining: Promise<void> | undefined
  #warming: Promise<void> | undefined

  private constructor(
    options: CheckedOptions,
    models: Service['models'],
    jobs: JobStore,
    watchdog: Watchdog,
    stopWorker: () => Promise<void>
  ) {
    this.#options = options
    this.limits = options.limits
    this.held = new HeldBytes(options.limits.maxHeldBytes, options.limits.maxHeldBytesPerKey)
    this.models = models
    this.jobs = jobs
    this.#watchdog = watchdog
    this.#stopWorker = stopWorker
  }

  /** Reads the models' manifests; loads nothing. */
  static async create<T extends Loadable>(
    options: CheckedOptions,
    hooks: readonly ServiceHooks[],
    { backend, store = (limits, observers) => new MemoryStore(limits, observers) }: Foundation<T>
  ): Promise<Service> {
    const facts = await Promise.all(options.models.map(({ name, directory }) => readFacts(name, modelPath(directory))))
    const models = new ModelRegistry<T>(facts, {
      load: (each, signal) => backend.load(each, signal),
      warmUp: async (model, each, signal) => backend.warmUp?.(model, each, signal),
      idleMs: options.idleUnloadSeconds * 1000,
      aliases: options.aliases,
      loaded: (name, ms) => {
        for (const hook of hooks) hook.loaded?.(name, ms)
      },
      unloaded: name => {
        for (const hook of hooks) hook.unloaded?.(name)
      },
      failed: (name, error, retryMs) => {
        for (const hook of hooks) hook.loadFailed?.(name, error, retryMs)
      }
    })
    const roll = new Roll()
    const jobs = store(options.limits, [...hooks, roll])
    const stop = new AbortController()
    const worker = serveOrders(
      jobs,
      (work, signal, emit) =>
        models.slot(work.model).use(async model => {
          signal.throwIfAborted()
          return backend.run(model, work, signal, emit)
        }, signal),
      {
        maxImages: options.limits.maxRunningImages,
        signal: stop.signal,
        failed: (job, error) => {
          for (const hook of hooks) hook.failed?.(job, error)
        }
      }
    )
    // Awaited when the worker is stopped; until then a failure is nobody's surprise.
    worker.catch(() => {})
    const watchdog = new Watchdog({ stallSeconds: options.stallSeconds, models, jobs, roll, hooks })
    return new Service(options, models, jobs, watchdog, async () => {
      stop.abort()
      await worker
    })
  }

  /** Loads every model and makes an image with each. A model that fails is tried again later. Safe to call again. */
  async warmUp(): Promise<void> {
    if (this.#draining === undefined) this.#warming ??= this.models.warmUp()
    await this.#warming
  }

  async readiness(): Promise<Readiness> {
    if (this.#draining !== undefined) return { ready: false, reason: 'draining' }
    // Before the rest: an engine can hang in its first image too.
    const stalled = await this.#watchdog.stall()
    if (stalled !== undefined) return { ready: false, reason: 'stalled', stalled }
    const models = this.models.health
    const has = (status: ModelHealth['status']) => models.some(model => model.status === status)
    if (has('loading')) return { ready: false, reason: 'loading', models }
    // One that fails must not take the others from their users.
    return has('ready') ? { ready: true, models } : { ready: false, reason: 'failed', models }
  }

  /** What has been silent for so long that only a new process helps. It is known already: nothing is asked. */
  get hung(): Stall | undefined {
    return this.#watchdog.hung
  }

  /** How long running work may take to end once the server is told to end. */
  get graceSeconds(): number {
    return this.#options.graceSeconds
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
  async abort(): Promise<void> {
    await this.jobs.abort()
  }

  async #drain(): Promise<void> {
    this.#watchdog.hold()
    // Where the store cannot be told, it cannot be drained either, and that error is not lost.
    const timer = setTimeout(() => void this.abort().catch(() => {}), this.#options.graceSeconds * 1000)
    try {
      await this.jobs.drain()
      await this.#stopWorker()
    } finally {
      clearTimeout(timer)
      await this.models.close()
      // Not sooner: an engine that hangs while the server ends is to be seen too.
      this.#watchdog.stop()
    }
  }
}
