import { invalid } from '../../errors.js'
import type { ModelFacts } from './model.js'
import type { ModelHealth, Models } from './models.js'
import { ModelSlot, type Loadable } from './slot.js'

export interface RegistryHooks<T> {
  load(facts: ModelFacts, signal: AbortSignal): Promise<T>
  warmUp?(model: T, facts: ModelFacts, signal: AbortSignal): Promise<void>
  idleMs: number
  loaded?(name: string, ms: number): void
  unloaded?(name: string): void
  failed?(name: string, error: unknown, retryMs: number): void
  /** Other names of models. */
  aliases?: ReadonlyMap<string, string>
}

/** The models of a server, by the names that requests give; the first is meant where they give none. */
export class ModelRegistry<T extends Loadable = Loadable> implements Models {
  readonly changing = false
  readonly #models: ReadonlyMap<string, { facts: ModelFacts; slot: ModelSlot<T> }>
  readonly #aliases: ReadonlyMap<string, string>

  /** @throws WuerstchenError INVALID_ARGUMENT for an alias that leads to no model, or that is one's name */
  constructor(
    models: readonly ModelFacts[],
    { load, warmUp, idleMs, loaded, unloaded, failed, aliases = new Map() }: RegistryHooks<T>
  ) {
    this.#models = new Map(
      models.map(facts => [
        facts.name,
        {
          facts,
          slot: new ModelSlot<T>({
            idleMs,
            load: signal => load(facts, signal),
            warmUp: async (model, signal) => warmUp?.(model, facts, signal),
            loaded: ms => loaded?.(facts.name, ms),
            unloaded: () => unloaded?.(facts.name),
            failed: (error, retryMs) => failed?.(facts.name, error, retryMs)
          })
        }
      ])
    )
    for (const [alias, name] of aliases) {
      if (this.#models.has(alias)) throw invalid('aliases', 'names that no model has', alias)
      if (!this.#models.has(name)) throw invalid(`aliases.${alias}`, `one of ${[...this.#models.keys()].join(', ')}`, name)
    }
    this.#aliases = aliases
  }

  /** Other names, and the names of the models that they mean. */
  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases
  }

  /** Every name that a request may give. */
  get names(): string[] {
    return [...this.#models.keys(), ...this.#aliases.keys()]
  }

  /** The facts of all models, the default one first. */
  get all(): ModelFacts[] {
    return [...this.#models.values()].map(({ facts }) => facts)
  }

  find(name: string | undefined): ModelFacts | undefined {
    return name === undefined ? this.all[0] : this.#models.get(this.#aliases.get(name) ?? name)?.facts
  }

  slot(name: string): ModelSlot<T> {
    return this.#models.get(name)!.slot
  }

  get health(): ModelHealth[] {
    return [...this.#models].map(([id, { slot }]) => ({ id, ...slot.health }))
  }

  /** Whether a model is being loaded now. */
  get loading(): boolean {
    return [...this.#models.values()].some(({ slot }) => slot.state === 'loading')
  }

  /**
   * Loads all models, one after the other: side by side they would compete for the same cores. One that cannot be loaded does not
   * keep the others from it.
   */
  async warmUp(): Promise<void> {
    for (const { slot } of this.#models.values()) await slot.use(async () => {}).catch(() => {})
  }

  /** Ends what is being loaded, and frees all models for good. */
  async close(): Promise<void> {
    await Promise.all([...this.#models.values()].map(({ slot }) => slot.close()))
  }
}
