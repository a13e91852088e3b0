import { randomBytes } from 'node:crypto'
import { WuerstchenError, invalid } from '../../errors.js'
import { drawSeed } from '../../options/seed.js'
import { cancelled, refused, shutDown, timedOut, type Cancellation, type GivenUp, type Refusal } from '../jobs/failure.js'
import { isAnswer } from '../jobs/idempotency.js'
import type {
  JobEvent,
  JobFilter,
  JobPage,
  JobStore,
  JobView,
  Outcome,
  StoreObserver,
  StoreStats,
  Submitted,
  Terms
} from '../jobs/store.js'
import { inputBytes, type JobResult, type Work } from '../jobs/work.js'
import type { Limits } from '../limits.js'
import type { AnnouncedModels } from './announced-models.js'
import type { Blobs } from './blobs.js'
import { costOf } from './cost.js'
import { SPARE_MS, type QueueDatabase } from './queue-database.js'
import { jobId } from './job-id.js'
import type { News } from './news.js'
import { reach } from './reach.js'
import { fixedOf, isOver } from './record.js'
import { Records } from './records.js'
import type { TicketOffice } from './tickets.js'
import { expectWithin } from './worker-limits.js'
import { part } from './wire.js'

export interface QueueStoreOptions {
  database: QueueDatabase
  news: News
  blobs: Blobs
  office: TicketOffice
  models: AnnouncedModels
  limits: Limits
  observers: readonly StoreObserver[]
}

/** What a picture is taken for that nobody has made yet: work has to be seen also where no worker is left. */
const UNMEASURED_SECONDS = 1

/** Jobs in a queue's database, as a server sees them: any number of servers share them. */
export class QueueStore implements JobStore {
  readonly #options: QueueStoreOptions
  readonly #records: Records
  /** Jobs that this server took on and that are not over, and which of them end with it. */
  readonly #own = new Map<string, { keep: boolean; outcome: Promise<unknown> }>()
  #draining = false
  #abort = () => {}
  readonly #aborted = new Promise<void>(resolve => {
    this.#abort = resolve
  })

  constructor(options: QueueStoreOptions) {
    this.#options = options
    this.#records = new Records(options)
  }

  async submit(given: Work, terms: Terms): Promise<Submitted> {
    if (this.#draining) throw refused('shutdown')
    const id = jobId(terms)
    if (terms.idempotency !== undefined) {
      const known = await reach(() => this.#known(id, terms))
      if (known !== undefined) return known
    }
    const { models, office, limits, blobs, database, observers } = this.#options
    const facts = models.find(given.model)
    const within = models.limitsOf(given.model)
    if (facts === undefined || within === undefined) throw refused('worker')
    expectWithin(given, within)
    const work = settled(given)
    const cost = costOf(work, facts)
    const { text, parts } = part(work, `${randomBytes(6).toString('base64url')}.`)
    const keptMs = limits.resultTtlSeconds * 1000
    const accepted = await reach(async () => {
      // Inputs are there before their job, and stay for its record at the longest.
      await blobs.put(id, 'in', parts, terms.timeoutMs + keptMs + SPARE_MS)
      const { owner, priority, keep, timeoutMs } = terms
      return database.accept(
        {
          ...{
            id,
            fixed: fixedOf(id, work, terms, blobs.place),
            work: text,
            model: work.model,
            owner,
            priority,
            cost,
            images: work.images
          },
          ...{ keep, timeoutMs, keptMs, inputBytes: inputBytes(work), fingerprint: terms.idempotency?.fingerprint ?? '' },
          ...{ late: JSON.stringify(timedOut(timeoutMs).error), elsewhere: blobs.elsewhere, hookHost: hostOf(terms) }
        },
        limits
      )
    })
    if (accepted !== 'accepted') await blobs.drop(id, 'in', [...parts.keys()]).catch(() => {})
    if (accepted === 'conflict') throw reused(terms)
    if (accepted !== 'accepted' && accepted !== 'known') throw refused(accepted)
    this.#records.orders.changed(work.model)
    // It is taken on. A ticket that is missing is issued by whoever sweeps.
    if (accepted === 'accepted') void office.issue(work.model).catch(() => {})
    const record = await reach(() => this.#records.read(id))
    if (record === undefined) throw refused('queue')
    const view = await reach(() => this.#records.shown(record))
    if (accepted === 'known') return this.#submitted(view, true)
    const submitted = this.#submitted(view, false, observers)
    this.#watch(submitted, terms.keep)
    return submitted
  }

  async get(id: string): Promise<JobView | 'expired' | undefined> {
    const record = await reach(() => this.#records.read(id))
    if (record !== undefined && (record.keep || !isOver(record.view))) return reach(() => this.#records.shown(record))
    return (await reach(() => this.#options.database.isGone(id))) ? 'expired' : undefined
  }

  async list(filter: JobFilter): Promise<JobPage | 'expired' | undefined> {
    return reach(async () => {
      const page = await this.#options.database.page(filter)
      if (typeof page !== 'object') return page
      return { jobs: await Promise.all(page.records.map(record => this.#records.shown(record))), more: page.more }
    })
  }

  async cancel(id: string, why: Cancellation): Promise<void> {
    await this.#giveUp(id, cancelled(why))
  }

  async *follow(id: string, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    const view = await this.get(id)
    if (typeof view !== 'object') return
    yield* this.#records.follower(id, true).events(signal)
  }

  async result(id: string): Promise<JobResult | undefined> {
    return reach(async () => {
      const record = await this.#records.read(id)
      return record === undefined || !record.keep ? undefined : this.#records.resultOf(record)
    })
  }

  async addresses(id: string, seconds: number): Promise<string[] | undefined> {
    return reach(async () => {
      const record = await this.#records.read(id)
      return record === undefined ? undefined : this.#records.addressesOf(record, seconds)
    })
  }

  async refusal(owner: string): Promise<Refusal | undefined> {
    if (this.#draining) return 'shutdown'
    const { database, limits } = this.#options
    try {
      const { all, own } = await reach(() => database.waiting(owner))
      if (all >= limits.maxQueued) return 'maxQueued'
      return own >= limits.maxQueuedPerKey ? 'maxQueuedPerKey' : undefined
    } catch (error) {
      if (WuerstchenError.is(error, 'QUEUE_FULL')) return 'queue'
      throw error
    }
  }

  /** What others may fetch stays in the queue. Of what ends with this server, what waits is turned away, what runs may end. */
  async drain(): Promise<void> {
    this.#draining = true
    const ending = [...this.#own].filter(([, { keep }]) => !keep)
    await Promise.all(
      ending.map(async ([id, { outcome }]) => {
        const view = await this.get(id).catch(() => undefined)
        if (typeof view === 'object' && view.state === 'queued') await this.#giveUp(id, shutDown()).catch(() => {})
        await Promise.race([outcome, this.#aborted])
      })
    )
  }

  /** Ends what ends with this server; a queue that cannot be reached is not waited for. */
  async abort(): Promise<void> {
    const ending = [...this.#own].filter(([, { keep }]) => !keep)
    try {
      await Promise.all(ending.map(([id]) => this.#giveUp(id, shutDown())))
    } finally {
      this.#abort()
    }
  }

  async stats(): Promise<StoreStats> {
    const { database, models } = this.#options
    return reach(async () => {
      return {
        ...(await database.stats()),
        // Whoever runs work watches it.
        silentMs: 0,
        models: await Promise.all(
          models.all.map(async ({ name: model }) => ({
            model,
            pictureSeconds: (await this.#records.orders.of(model)).cost * (models.secondsEach(model) ?? UNMEASURED_SECONDS),
            workers: models.offering(model).length
          }))
        )
      }
    })
  }

  async #known(id: string, terms: Terms): Promise<Submitted | undefined> {
    const fingerprint = await this.#options.database.fingerprintOf(id)
    if (fingerprint === undefined) return undefined
    if (fingerprint !== terms.idempotency?.fingerprint) throw reused(terms)
    const record = await this.#records.read(id)
    return record === undefined ? undefined : this.#submitted(await this.#records.shown(record), true)
  }

  async #giveUp(id: string, { state, error }: GivenUp): Promise<void> {
    const ending = { state, error: JSON.stringify(error), again: !isAnswer({ state, error }) }
    await reach(() => this.#options.database.giveUp(id, ending))
  }

  #submitted(view: JobView, known: boolean, observers: readonly StoreObserver[] = []): Submitted {
    let outcome: Promise<Outcome> | undefined
    return {
      view,
      known,
      events: signal => this.#records.follower(view.id, true).events(signal),
      outcome: () => (outcome ??= this.#outcome(view, observers))
    }
  }

  /** Knows of a job that this server took on until it is over, and tells the observers. */
  #watch({ view: { id }, outcome }: Submitted, keep: boolean): void {
    const over = outcome().catch(() => {})
    this.#own.set(id, { keep, outcome: over })
    void over.finally(() => this.#own.delete(id))
  }

  async #outcome(first: JobView, observers: readonly StoreObserver[]): Promise<Outcome> {
    const tell = (say: (observer: StoreObserver) => void) => {
      for (const observer of observers) say(observer)
    }
    tell(observer => observer.queued?.(first))
    let last = first
    for await (const event of this.#records.follower(first.id, false).events()) {
      if (event.type !== 'view') {
        tell(observer => observer.reported?.(first.id, event))
        continue
      }
      const starts = last.startedAt === null && event.view.startedAt !== null
      last = event.view
      if (starts) tell(observer => observer.started?.(last))
    }
    const outcome = await this.#records.endOf(last)
    const timings = outcome.state === 'succeeded' && outcome.result.kind === 'images' ? outcome.result.timings : null
    if (isOver(last)) tell(observer => observer.ended?.(last, timings))
    return outcome
  }
}

/** The seed is drawn before the work is on its way: whoever does it again makes the same picture. */
function settled(work: Work): Work {
  const { seed, seeds } = work.options as { seed?: number; seeds?: readonly number[] }
  // Embeddings have seeds of their own, with which decoding goes on.
  if (work.kind === 'embedImage' || work.kind === 'decode' || seed !== undefined || seeds !== undefined) return work
  return { ...work, options: { ...work.options, seed: drawSeed() } } as Work
}

/** Where a webhook goes: each host has a line of its own. */
function hostOf({ webhookUrl }: Terms): string {
  return webhookUrl === undefined ? '' : new URL(webhookUrl).host
}

function reused({ idempotency }: Terms): WuerstchenError {
  return invalid('idempotencyKey', 'a key that stands for the same request as before', idempotency?.key)
}
