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
 * How often a run tells its steps at most. Each answer says whether the work is still wanted: a cancel whose message was lost is
 * known within this time, or at the next step where that is later. Progress is for people, who see no more than this.
 */
const REPORT_MS = 200

/**
 * What a run has to say, on its way to the database: one message after the other. The first step is told at once, then the last
 * one of each image and stage every REPORT_MS. Files are told at once, with the steps that were held back, and so is the end.
 */
export class Voice {
  readonly #id: string
  readonly #run: string
  readonly #options: VoiceOptions
  /** The names of files that are put away already: the result has them too. */
  readonly saved = new WeakMap<Uint8Array, string>()
  /** The names of files that nobody wants when there are images. */
  readonly previews: string[] = []
  /** What is not told yet, by image and stage. */
  #steps = new Map<string, Step>()
  #files = 0
  #saying: Promise<void> = Promise.resolve()
  /** Somebody is about to tell them. */
  #scheduled = false
  #timer: NodeJS.Timeout | undefined
  #toldAt = -Infinity

  constructor(id: string, run: string, options: VoiceOptions) {
    this.#id = id
    this.#run = run
    this.#options = options
  }

  async say(event: WorkEvent): Promise<void> {
    if (event.type === 'step') {
      this.#steps.set(`${event.image} ${event.stage}`, event)
      if (this.#scheduled) return
      this.#scheduled = true
      this.#timer = setTimeout(
        // Whoever makes the images does not wait for it.
        () => void this.#next(() => this.#tell([])).catch(() => {}),
        Math.max(0, this.#toldAt + REPORT_MS - performance.now())
      )
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

  /** Says what was held back, and resolves when everything has been said. */
  async said(): Promise<void> {
    clearTimeout(this.#timer)
    const last = async () => {
      if (this.#steps.size > 0) await this.#options.patience.ask(() => this.#tell([]))
    }
    // Nobody waits for a queue once the process is to end.
    await this.#next(last).catch(() => {})
  }

  #next(act: () => Promise<void>): Promise<void> {
    const next = this.#saying.then(act)
    this.#saying = next.catch(() => {})
    return next
  }

  async #tell(files: Report['messages']): Promise<void> {
    clearTimeout(this.#timer)
    this.#scheduled = false
    const told = this.#steps
    this.#steps = new Map()
    const steps = [...told.values()]
    // Of an image, the last stage that it has reached.
    const progress = new Map(steps.map(({ image, stage, step, steps: all }) => [image, { image, stage, step, steps: all }]))
    if (steps.length === 0 && files.length === 0) return
    this.#toldAt = performance.now()
    try {
      const wanted = await this.#options.database.report(this.#id, this.#run, {
        steps: [...progress.values()],
        messages: [...steps.map(step => ({ kind: 'step' as const, contents: JSON.stringify(step) })), ...files]
      })
      if (!wanted) this.#options.unwanted()
    } catch (error) {
      // They are told with the next ones, which may be newer.
      this.#steps = new Map([...told, ...this.#steps])
      throw error
    }
  }
}
