import { modelPath } from '../internal.js'
import { HeldBytes } from './jobs/held-bytes.js'
import { MemoryStore } from './jobs/memory-store.js'
import { Roll } from './jobs/roll.js'
import type { Duty, JobStore, StoreObserver, WorkSource } from './jobs/store.js'
import { serveOrders, type WorkerOptions } from './jobs/worker.js'
import type { Limits } from './limits.js'
import type { Backend } from './models/backend.js'
import { readFacts, type ModelFacts } from './models/model.js'
import type { ModelHealth, Models } from './models/models.js'
import type { QueueHooks } from './queue/patience.js'
import { ModelRegistry, type RegistryHooks } from './models/registry.js'
import type { Loadable } from './models/slot.js'
import type { CheckedOptions } from './options.js'
import type { WebhookLog } from './webhooks/courier.js'
import { Watchdog, type Stall, type StallHooks } from './watchdog.js'

/** Makes the store of a server, which tells the observers of its jobs. */
export type StoreFactory = (limits: Limits, observers: readonly StoreObserver[]) => JobStore & WorkSource

/** What a service stands on: models of this process, and a store, or workers elsewhere. */
export type Foundation<T extends Loadable> = OwnModels<T> | { open: ServiceFactory }

export interface OwnModels<T extends Loadable> {
  backend: Backend<T>
  /** Defaults to a store in the memory of this process. */
  store?: StoreFactory
}

/** Models of this process, and where they get work from. */
export interface OwnWork<T extends Loadable, Jobs extends Duty & WorkSource> {
  facts: readonly ModelFacts[]
  backend: Backend<T>
  open(roll: Roll, models: Models): Jobs
  /** Nothing runs any more. */
  stopped?(): Promise<void>
}

/** Counts requests by a name, for so long: how many there were, and how many milliseconds are left. */
export interface RequestCounter {
  count(name: string, windowMs: number): Promise<{ current: number; ttl: number }>
}

export type ServiceFactory = (options: CheckedOptions, hooks: readonly ServiceHooks[], log: WebhookLog) => Promise<Service>

/** The parts of a service, made. */
export interface ServiceParts<Jobs extends Duty> {
  models: Models
  jobs: Jobs
  watchdog: Watchdog
  /** Ends the worker of this process, and whatever else it holds. */
  stop(): Promise<void>
  /** Where the models are elsewhere: whether work can be taken on, whoever offers them. */
  reachable?(): Promise<boolean>
  /** Where requests of a key are counted, where several servers do it. */
  counter?: RequestCounter
}

export interface ServiceHooks
  extends StoreObserver,
    StallHooks,
    QueueHooks,
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
export class Service<Jobs extends Duty = JobStore> {
  readonly models: Models
  readonly jobs: Jobs
  readonly limits: Limits
  /** What requests, their jobs and their replies hold in this process. */
  readonly held: HeldBytes
  readonly #options: CheckedOptions
  readonly #parts: ServiceParts<Jobs>
  #draining: Promise<void> | undefined
  #warming: Promise<void> | undefined

  constructor(options: CheckedOptions, parts: ServiceParts<Jobs>) {
    this.#options = options
    this.limits = options.limits
    this.held = new HeldBytes(options.limits.maxHeldBytes, options.limits.maxHeldBytesPerKey)
    this.models = parts.models
    this.jobs = parts.jobs
    this.#parts = parts
  }

  /** Of models in this process. Reads their manifests; loads nothing. */
  static async create<T extends Loadable>(
    options: CheckedOptions,
    hooks: readonly ServiceHooks[],
    { backend, store = (limits, observers) => new MemoryStore(limits, observers) }: OwnModels<T>
  ): Promise<Service> {
    const facts = await Promise.all(options.models.map(({ name, directory }) => readFacts(name, modelPath(directory))))
    return Service.over(options, hooks, { facts, backend, open: roll => store(options.limits, [...hooks, roll]) })
  }

  /** @internal Of models in this process, and of a store that has work for them. */
  static over<T extends Loadable, Jobs extends Duty & WorkSource>(
    options: CheckedOptions,
    hooks: readonly ServiceHooks[],
    { facts, backend, open, stopped }: OwnWork<T, Jobs>
  ): Service<Jobs> {
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
    const jobs = open(roll, models)
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
    return new Service(options, {
      models,
      jobs,
      watchdog: new Watchdog({ stallSeconds: options.stallSeconds, models, jobs, roll, hooks }),
      stop: async () => {
        stop.abort()
        await worker
        await stopped?.()
      }
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
    const stalled = await this.#parts.watchdog.stall()
    if (stalled !== undefined) return { ready: false, reason: 'stalled', stalled }
    const models = this.models.health
    const reachable = await this.#parts.reachable?.()
    if (reachable !== undefined) return reachable ? { ready: true, models } : { ready: false, reason: 'failed', models }
    const has = (status: ModelHealth['status']) => models.some(model => model.status === status)
    if (has('loading')) return { ready: false, reason: 'loading', models }
    // One that fails must not take the others from their users.
    return has('ready') ? { ready: true, models } : { ready: false, reason: 'failed', models }
  }

  /** What has been silent for so long that only a new process helps. It is known already: nothing is asked. */
  get hung(): Stall | undefined {
    return this.#parts.watchdog.hung
  }

  get counter(): RequestCounter | undefined {
    return this.#parts.counter
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
    this.#parts.watchdog.hold()
    // Where the store cannot be told, it cannot be drained either, and that error is not lost.
    const timer = setTimeout(() => void this.abort().catch(() => {}), this.#options.graceSeconds * 1000)
    try {
      await this.jobs.drain()
      await this.#parts.stop()
    } finally {
      clearTimeout(timer)
      await this.models.close()
      // Not sooner: an engine that hangs while the server ends is to be seen too.
      this.#parts.watchdog.stop()
    }
  }
}
