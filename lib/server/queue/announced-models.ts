import type { ModelFacts } from '../models/model.js'
import type { ModelHealth, Models, SlotView } from '../models/models.js'
import type { SlotState } from '../models/slot.js'
import { Announced, type Announcement, type OfferedFacts, type WorkerLimits, WORKER_LIMITS } from './announcement.js'
import type { WorkerBoard } from './queue-database.js'

/** How old what is known of the workers may be. */
const LOOK_MS = 1000

const STATES: readonly SlotState[] = ['ready', 'loading', 'failed', 'unloaded']

/** The models that workers offer, and have offered lately. */
export class AnnouncedModels implements Models {
  readonly changing = true
  readonly loading = false
  readonly aliases: ReadonlyMap<string, string>
  readonly #announced: Announced
  readonly #timer: NodeJS.Timeout
  #facts = new Map<string, ModelFacts>()
  #workers: Announcement[] = []
  #looking: Promise<void> | undefined
  #again = false

  readonly #maxSide: number

  /** @param maxSide the longest side that this server lets anybody ask for */
  constructor(board: WorkerBoard, aliases: ReadonlyMap<string, string>, maxSide: number) {
    this.#announced = new Announced(board)
    this.#maxSide = maxSide
    this.aliases = aliases
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  get names(): string[] {
    return [...this.#facts.keys(), ...[...this.aliases].filter(([, name]) => this.#facts.has(name)).map(([alias]) => alias)]
  }

  get all(): ModelFacts[] {
    return [...this.#facts.values()]
  }

  get workers(): readonly Announcement[] {
    return this.#workers
  }

  find(name: string | undefined): ModelFacts | undefined {
    return name === undefined ? this.all[0] : this.#facts.get(this.aliases.get(name) ?? name)
  }

  slot(name: string): SlotView {
    const states = this.offering(name).map(({ models }) => models.find(model => model.name === name)!.state)
    return {
      state: STATES.find(state => states.includes(state)) ?? 'unloaded',
      peek: async () => undefined,
      silence: () => ({ silentMs: 0, doing: null }),
      unload: async () => {}
    }
  }

  /** A model is ready while somebody takes work for it; one that only was offered once says nothing of this server. */
  get health(): ModelHealth[] {
    return this.all.map(({ name }) => ({ id: name, status: this.offering(name).length > 0 ? 'ready' : 'loading' }))
  }

  /** The workers that take work for a model. */
  offering(name: string): Announcement[] {
    return this.#workers.filter(({ draining, models }) => {
      const offered = models.find(model => model.name === name)
      return !draining && offered !== undefined && offered.state !== 'failed'
    })
  }

  /** What each of its workers takes, as any of them can get a job; undefined where there is none. */
  limitsOf(name: string): WorkerLimits | undefined {
    const offering = this.offering(name)
    if (offering.length === 0) return undefined
    return Object.fromEntries(
      WORKER_LIMITS.map(limit => [limit, Math.min(...offering.map(({ limits }) => limits[limit]))])
    ) as WorkerLimits
  }

  /**
   * How long one worker is busy with a picture with a model's defaults, of those that it makes at once: the mean over the workers
   * that have measured it. Undefined before the first one has.
   */
  secondsEach(name: string): number | undefined {
    const measured = this.offering(name).flatMap(({ models, maxRunningImages }) => {
      const { pictureSeconds } = models.find(model => model.name === name)!
      return pictureSeconds === null ? [] : [pictureSeconds / maxRunningImages]
    })
    return measured.length === 0 ? undefined : measured.reduce((sum, each) => sum + each, 0) / measured.length
  }

  /** Reads what the workers say, and what they say meanwhile. What cannot be read now stays as it was. */
  async look(): Promise<void> {
    if (this.#looking !== undefined) this.#again = true
    this.#looking ??= this.#readAll().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async warmUp(): Promise<void> {
    await this.look()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
  }

  async #readAll(): Promise<void> {
    do {
      this.#again = false
      await this.#read().catch(() => {})
    } while (this.#again)
  }

  async #read(): Promise<void> {
    const { workers, offered } = await this.#announced.read()
    this.#workers = workers
    const sidesOf = ({ sides }: OfferedFacts) => sides.filter(side => side <= this.#maxSide)
    this.#facts = new Map(offered.map(facts => [facts.name, { ...facts, path: '', sides: sidesOf(facts) }]))
  }
}
