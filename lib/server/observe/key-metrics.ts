import type { Timings } from '../../index.js'
import type { JobView, StoreObserver } from '../jobs/store.js'
import type { Instruments } from './instruments.js'

/** Who has how much. Keys are a list that somebody wrote, so there are as few series as that has lines. */
export class KeyMetrics implements StoreObserver {
  readonly #queued
  readonly #running
  readonly #images

  constructor(instruments: Instruments) {
    this.#queued = instruments.gauge('key_jobs_queued', 'Jobs of an API key that wait', ['key'])
    this.#running = instruments.gauge('key_jobs_running', 'Jobs of an API key that run', ['key'])
    this.#images = instruments.counter('key_images_total', 'Images that were made for an API key', ['key'])
  }

  queued({ owner: key }: JobView): void {
    this.#queued.inc({ key })
  }

  started({ owner: key }: JobView): void {
    this.#queued.dec({ key })
    this.#running.inc({ key })
  }

  ended({ owner: key, startedAt, progress }: JobView, timings: Timings | null): void {
    const left = startedAt === null ? this.#queued : this.#running
    left.dec({ key })
    if (timings !== null) this.#images.inc({ key }, progress.length)
  }
}
