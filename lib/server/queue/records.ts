import { factsOf } from '../jobs/failure.js'
import type { JobView, Outcome } from '../jobs/store.js'
import type { JobImage, JobResult } from '../jobs/work.js'
import type { AnnouncedModels } from './announced-models.js'
import type { Blobs } from './blobs.js'
import type { QueueDatabase } from './queue-database.js'
import { Follower } from './follower.js'
import type { News } from './news.js'
import { Orders } from './order.js'
import { givenUpOf, isOver, type JobRecord } from './record.js'
import { join, partsIn } from './wire.js'

/** Between two tries to read what is there, while the queue cannot be reached. */
const RETRY_MS = 200

export interface RecordsOptions {
  database: QueueDatabase
  news: News
  blobs: Blobs
  models: AnnouncedModels
}

/** The records of jobs, as a server reads and shows them. */
export class Records {
  readonly orders: Orders
  readonly #options: RecordsOptions

  constructor(options: RecordsOptions) {
    this.#options = options
    this.orders = new Orders(options.database)
  }

  async read(id: string): Promise<JobRecord | undefined> {
    return this.#options.database.record(id)
  }

  /** Without its place where nobody comes back to look: an order is as long as all that waits. */
  async shown({ view, keep }: JobRecord): Promise<JobView> {
    if (view.state !== 'queued' || !keep) return view
    const { models } = this.#options
    const order = await this.orders.of(view.model)
    const [workers, each] = [models.offering(view.model).length, models.secondsEach(view.model)]
    const known = workers > 0 && each !== undefined
    return {
      ...view,
      position: order.place(view.id) ?? 0,
      ...(known ? { startsInSeconds: (order.costBefore(view.id) * each) / workers } : {})
    }
  }

  async resultOf({ view, result }: JobRecord): Promise<JobResult | undefined> {
    if (view.state !== 'succeeded') return undefined
    return join(result, await this.#options.blobs.get(view.id, 'out', partsIn(result))) as JobResult | undefined
  }

  /** Undefined where servers give the images. */
  async addressesOf({ view, result }: JobRecord, seconds: number): Promise<string[] | undefined> {
    const { blobs } = this.#options
    if (view.state !== 'succeeded' || blobs.address === undefined) return undefined
    const { images } = JSON.parse(result) as { images?: (Pick<JobImage, 'format' | 'seed'> & { file: unknown })[] }
    const addresses = (images ?? []).map(({ file, format, seed }) => {
      const [name] = partsIn(JSON.stringify(file))
      return blobs.address!(view.id, { name: name!, format, seed }, seconds)
    })
    const found = (await Promise.all(addresses)).filter(address => address !== undefined)
    return found.length > 0 && found.length === addresses.length ? found : undefined
  }

  async endOf(view: JobView): Promise<Outcome> {
    if (!isOver(view)) return lost()
    if (view.state !== 'succeeded') return givenUpOf(view)
    for (;;) {
      try {
        const record = await this.read(view.id)
        const result = record === undefined ? undefined : await this.resultOf(record)
        return result === undefined ? lost() : { state: 'succeeded', result }
      } catch {
        // It is over: whoever waits for it can wait for the queue to come back.
        await new Promise(resolve => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** @param files whether previews and images are wanted too */
  follower(id: string, files: boolean): Follower {
    const { news, blobs } = this.#options
    return new Follower(id, { news, blobs, files, read: each => this.read(each), shown: record => this.shown(record) })
  }
}

function lost(): Outcome {
  return { state: 'failed', error: factsOf(new Error('The job is known no longer')) }
}
