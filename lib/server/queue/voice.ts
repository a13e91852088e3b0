import type { WorkEvent } from '../jobs/work.js'
import type { Blobs } from './blobs.js'
import type { QueueDatabase, Report } from './queue-database.js'
import type { Patience } from './patience.js'
import { part } from './wire.js'

type Step = Extract<WorkEvent, { type: 'step' }>

export interface VoiceOptions {
  database: QueueDatabase
  blobs: Blobs
  patience: Patience
  /** How long files of a run are kept that never ends. */
  ttlMs: number
  /** Nobody wants to hear this run any more: it was given up, or somebody else does the work. */
  unwanted(): void
}

/**
 * What a run has to say, on its way to the database: one message after the other, and of the steps of an image only the last one
 * that is not said yet. Each answer says whether the work is still wanted, so that is known at every step.
 */
export class Voice {
  readonly #id: string
  readonly #run: string
  readonly #options: VoiceOptions
  /** The names of files that are put away already: the result has them too. */
  readonly saved = new WeakMap<Uint8Array, string>()
  /** The names of files that nobody wants when there are images. */
  readonly previews: string[] = []
  readonly #steps = new Map<number, Step>()
  #files = 0
  #saying: Promise<void> = Promise.resolve()
  #scheduled = false

  constructor(id: string, run: string, options: VoiceOptions) {
    this.#id = id
    this.#run = run
    this.#options = options
  }

  async say(event: WorkEvent): Promise<void> {
    if (event.type === 'step') {
      this.#steps.set(event.image, event)
      if (this.#scheduled) return
      this.#scheduled = true
      // Whoever makes the images does not wait for it.
      void this.#next(() => this.#tell([])).catch(() => {})
      return
    }
    // Images stay with the result, and previews go when there is one: scripts know them by this letter.
    const prefix = `${this.#run}${event.type === 'image' ? 'i' : 'v'}${this.#files++}.`
    await this.#next(async () => {
      const { blobs, patience, ttlMs } = this.#options
      const { text, parts } = part(event, prefix)
      await patience.ask(() => blobs.put(this.#id, 'out', parts, ttlMs))
      if (event.type === 'image') this.saved.set(event.result.file, [...parts.keys()][0]!)
      else this.previews.push(...parts.keys())
      await patience.ask(() => this.#tell([{ kind: 'file', contents: text }]))
    })
  }

  /** Resolves when everything has been said. */
  async said(): Promise<void> {
    await this.#saying
  }

  #next(act: () => Promise<void>): Promise<void> {
    const next = this.#saying.then(act)
    this.#saying = next.catch(() => {})
    return next
  }

  async #tell(files: Report['messages']): Promise<void> {
    this.#scheduled = false
    const steps = [...this.#steps.values()]
    this.#steps.clear()
    if (steps.length === 0 && files.length === 0) return
    const wanted = await this.#options.database.report(this.#id, this.#run, {
      steps: steps.map(({ image, stage, step, steps: all }) => ({ image, stage, step, steps: all })),
      messages: [...steps.map(step => ({ kind: 'step' as const, contents: JSON.stringify(step) })), ...files]
    })
    if (!wanted) this.#options.unwanted()
  }
}
