import { Feed } from '../jobs/feed.js'
import type { JobEvent, JobView } from '../jobs/store.js'
import type { WorkEvent } from '../jobs/work.js'
import type { Blobs } from './blobs.js'
import type { Hearing, Message, News } from './news.js'
import { isOver, type JobRecord } from './record.js'
import { join, partsIn } from './wire.js'

export interface FollowerOptions {
  news: News
  blobs: Blobs
  /** Whether previews and images are wanted: each is read from where it is kept. */
  files: boolean
  /** Undefined where there is no such job any more. */
  read(id: string): Promise<JobRecord | undefined>
  /** The job as it is shown, with its place in the queue. */
  shown(record: JobRecord): Promise<JobView>
}

/** A connection that is away does not keep anybody from what can be read. */
const LONGEST_WAIT_MS = 500

type StepEvent = Extract<WorkEvent, { type: 'step' }>
type FileEvent = Extract<WorkEvent, { type: 'image' | 'preview' }>

/**
 * What happens to a job, from its record on until it is over, wherever it runs. While the database cannot be reached nothing is
 * said, and afterwards the job as it is then.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #id: string
  readonly #feed = new Feed<JobEvent>()
  readonly #hearing: Hearing
  /** One thing after the other: a message waits for the record that was read before it. */
  #turn: Promise<void> = Promise.resolve()
  readonly #told = new Set<string>()
  /** The last step of each image and stage that was told since the record was read. */
  readonly #steps = new Map<string, number>()
  #seq = -1
  #looking = false

  constructor(id: string, options: FollowerOptions) {
    this.#id = id
    this.#options = options
    this.#hearing = options.news.follow(
      id,
      message => this.#then(() => this.#hear(message)),
      () => this.#look()
    )
    // Before the record is read: what is said in between is heard then.
    this.#then(() =>
      Promise.race([this.#hearing.begun, new Promise<void>(resolve => setTimeout(resolve, LONGEST_WAIT_MS).unref())])
    )
    this.#look()
  }

  async *events(signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    const stop = () => this.#feed.cut()
    signal?.addEventListener('abort', stop)
    if (signal?.aborted === true) stop()
    try {
      yield* this.#feed
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#hearing.end()
      stop()
    }
  }

  #then(act: () => Promise<void>): void {
    // What fails is looked at again soon.
    this.#turn = this.#turn.then(act).catch(() => {})
  }

  /** Reads the record, unless that is under way. */
  #look(): void {
    if (this.#looking) return
    this.#looking = true
    this.#then(() => this.#read())
    void this.#turn.then(() => {
      this.#looking = false
    })
  }

  async #read(): Promise<void> {
    const record = await this.#options.read(this.#id)
    if (record === undefined) return this.#close()
    if (record.seq <= this.#seq) return
    this.#seq = record.seq
    // Work that is done again begins with its first step.
    this.#steps.clear()
    this.#feed.push({ type: 'view', view: await this.#options.shown(record) })
    if (isOver(record.view)) this.#close()
  }

  async #hear({ seq, kind, contents }: Message): Promise<void> {
    if (seq <= this.#seq) return
    if (kind === 'view' || this.#seq < 0) return this.#read()
    this.#seq = seq
    if (kind === 'step') {
      const step = JSON.parse(contents) as StepEvent
      if (this.#isNext(step)) this.#feed.push(step, waiting => waiting.type === 'step' && waiting.image === step.image)
    } else if (kind === 'file' && this.#options.files && this.#isNew(JSON.parse(contents) as FileEvent)) {
      const parts = await this.#options.blobs.get(this.#id, 'out', partsIn(contents))
      const event = join(contents, parts) as FileEvent | undefined
      // It was let go of meanwhile: the image is in the result, and of a preview there is a newer one.
      if (event !== undefined) this.#feed.push(event)
    }
  }

  /** A worker whose connection was cut says again what it had no answer for. */
  #isNext({ image, stage, step }: StepEvent): boolean {
    const name = `${image} ${stage}`
    if (step <= (this.#steps.get(name) ?? 0)) return false
    this.#steps.set(name, step)
    return true
  }

  /** Work that is done again has the same images: each is told once. */
  #isNew({ type, image, ...event }: FileEvent): boolean {
    const name = `${type} ${image} ${'index' in event ? event.index : ''}`
    if (this.#told.has(name)) return false
    this.#told.add(name)
    return true
  }

  #close(): void {
    this.#hearing.end()
    this.#feed.close()
  }
}
