/** What a slot holds; `Pipeline` is one. */
export interface Loadable {
  dispose(): Promise<void>
  stats?(): { batchSizes: Record<string, number>; bytes: Record<string, number> }
}

export interface SlotHooks<T> {
  /** Loads the model and makes an image with it. */
  load(): Promise<T>
  /** Milliseconds without use after which it is unloaded; 0: never. */
  idleMs: number
  loaded?(ms: number): void
  unloaded?(): void
}

export type SlotState = 'unloaded' | 'loading' | 'ready' | 'failed'

/** One model: loaded when work wants it, unloaded when none has wanted it for a while. */
export class ModelSlot<T extends Loadable> {
  readonly #hooks: SlotHooks<T>
  #model: Promise<T> | undefined
  #unloading: Promise<void> | undefined
  #users = 0
  #timer: NodeJS.Timeout | undefined
  #state: SlotState = 'unloaded'
  #warm = false

  constructor(hooks: SlotHooks<T>) {
    this.#hooks = hooks
  }

  get state(): SlotState {
    return this.#state
  }

  /** Whether it was loaded and has not failed since. A model that was unloaded for want of work counts as loaded. */
  get warm(): boolean {
    return this.#warm
  }

  /** The model where it is loaded; never loads it. */
  async peek(): Promise<T | undefined> {
    return this.#state === 'ready' ? this.#model : undefined
  }

  /** Runs `work` with the model, loading it first if need be. */
  async use<R>(work: (model: T) => Promise<R>): Promise<R> {
    clearTimeout(this.#timer)
    this.#users++
    try {
      return await work(await (this.#model ??= this.#load()))
    } finally {
      if (--this.#users === 0 && this.#hooks.idleMs > 0)
        this.#timer = setTimeout(() => void this.unload(), this.#hooks.idleMs).unref()
    }
  }

  /** Frees the model, once nobody uses it. */
  async unload(): Promise<void> {
    clearTimeout(this.#timer)
    const model = this.#model
    if (model === undefined) return this.#unloading
    this.#model = undefined
    this.#state = 'unloaded'
    // A model that failed to load has nothing to free.
    this.#unloading = model
      .then(
        loaded => loaded.dispose(),
        () => {}
      )
      .then(() => this.#hooks.unloaded?.())
    await this.#unloading
  }

  async #load(): Promise<T> {
    const started = performance.now()
    this.#state = 'loading'
    try {
      // Two of it at once might not fit into memory.
      await this.#unloading
      const model = await this.#hooks.load()
      this.#state = 'ready'
      this.#warm = true
      this.#hooks.loaded?.(performance.now() - started)
      return model
    } catch (error) {
      this.#state = 'failed'
      this.#warm = false
      this.#model = undefined
      throw error
    }
  }
}
