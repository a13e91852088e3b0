import { WuerstchenError } from '../errors.js'
import { loadAddon } from '../load/addon.js'
import type { Choice } from '../model/select.js'
import type {
  EngineEvent,
  EngineHandle,
  EngineRequest,
  EngineResult,
  EngineSpec,
  EngineStats,
  NativeTask,
  StageName
} from '../native.js'
import { Tensor } from '../values/tensor.js'
import type { BatchLimits } from './batch-limits.js'

/** One native engine: a device's thread with its programs. */
export class Engine {
  readonly #handle: EngineHandle
  readonly device: string
  /** The artefact of each stage, and why the others were not chosen. */
  readonly choices: ReadonlyMap<StageName, Choice>
  /** How many images may share a run. */
  readonly limits: BatchLimits
  readonly #residency: EngineSpec['residency']
  readonly #running = new Set<Promise<unknown>>()
  /** Images and tasks submitted and not yet finished. */
  load = 0

  constructor(
    handle: EngineHandle,
    device: string,
    choices: ReadonlyMap<StageName, Choice>,
    residency: EngineSpec['residency'],
    limits: BatchLimits
  ) {
    this.#handle = handle
    this.device = device
    this.choices = choices
    this.#residency = residency
    this.limits = limits
  }

  /**
   * Without a previewer, the decoder makes previews between steps of the prior. Then both must be on this engine and stay loaded.
   */
  get canPreview(): boolean {
    return this.choices.has('previewer') || (this.choices.has('decoder') && this.#residency === 'all')
  }

  /**
   * Runs a request. An abort rejects at once with the signal's reason. The engine stops at its next step, and what it still
   * delivers is freed.
   */
  async run(request: EngineRequest, signal: AbortSignal, onEvent: (event: EngineEvent) => void): Promise<EngineResult> {
    signal.throwIfAborted()
    const submitted = loadAddon().submit(this.#handle, request, event => {
      if (!signal.aborted) onEvent(event)
    })
    return this.#follow(submitted, request.images.length, signal, result => loadAddon().disposeTensor(result.embeddings))
  }

  /** Runs a task before the next step of the running requests. An abort does what it does to a request. */
  async task(start: (engine: EngineHandle) => NativeTask, signal: AbortSignal | undefined): Promise<Tensor> {
    signal?.throwIfAborted()
    return new Tensor(await this.#follow(start(this.#handle), 1, signal, handle => loadAddon().disposeTensor(handle)))
  }

  /** The result of work that the engine has. `load` is how much it is; `free` is for a result that nobody wants any more. */
  async #follow<T>(
    { id, done }: { id: number; done: Promise<T | null> },
    load: number,
    signal: AbortSignal | undefined,
    free: (result: T) => void
  ): Promise<T> {
    this.load += load
    const settled = done.finally(() => {
      this.load -= load
      this.#running.delete(settled)
    })
    this.#running.add(settled)
    return new Promise((resolve, reject) => {
      const abort = () => {
        loadAddon().cancel(this.#handle, id)
        reject(signal!.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      settled
        .then(result => {
          if (result === null) return reject(shutDown())
          if (signal?.aborted) return free(result)
          resolve(result)
        }, reject)
        .finally(() => signal?.removeEventListener('abort', abort))
        .catch(reject)
    })
  }

  stats(): EngineStats {
    return loadAddon().engineStats(this.#handle)
  }

  /** Ends all requests and tasks at the engine's next step. They reject with DISPOSED. */
  async dispose(): Promise<void> {
    await loadAddon().disposeEngine(this.#handle)
    await Promise.allSettled(this.#running)
  }
}

/** The error of a run that ends as cancelled although its caller did not cancel it: the engine was shut down. */
function shutDown(): WuerstchenError {
  return new WuerstchenError('DISPOSED', 'Expected the pipeline to live until its work was done but it was shut down', {
    subject: 'pipeline'
  })
}
