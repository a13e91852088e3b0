import { ATTEMPT_MS, Courier, MOST_AT_ONCE, MOST_OF_HOST, type WebhookLog, type WebhookOptions } from '../webhooks/courier.js'
import { factsOf, messageOf, type Message } from '../webhooks/message.js'
import { arrived, pauseAfter, type Result } from '../webhooks/retry.js'
import type { QueueDatabase, TakenHook } from './queue-database.js'
import type { Hearing, News } from './news.js'
import { outageOf } from './reach.js'

export interface DeliveriesOptions {
  database: QueueDatabase
  news: News
  webhooks: WebhookOptions
  log: WebhookLog
}

/** A message that this server has for a while, by its name in the queue. */
interface Leased extends Message {
  name: string
}

const LOOK_MS = 1000
/** In attempts: one is over long before its lease is. */
const LEASE = 3

/**
 * Sends the webhooks that the ends of jobs have left in the queue, whichever server took those jobs on: each is leased, and comes
 * back by itself if this server ends. So one can arrive twice.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #courier: Courier<Leased>
  readonly #hearing: Hearing
  readonly #timer: NodeJS.Timeout
  readonly #ending = new Set<Promise<void>>()
  #looking = false
  #again = false
  #closing = false

  constructor(options: DeliveriesOptions) {
    this.#options = options
    this.#courier = new Courier(options.webhooks, (message, result) => this.#attempted(message, result))
    this.#hearing = options.news.hear('hook', () => void this.#look())
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref()
  }

  /** Lets what is on its way arrive, for a moment; another server sends the rest. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#timer)
    this.#hearing.end()
    for (const message of await this.#courier.close()) this.#end(message, 0)
    await Promise.all(this.#ending)
  }

  async #look(): Promise<void> {
    this.#again = true
    if (this.#looking) return
    this.#looking = true
    while (this.#again && !this.#closing) {
      this.#again = false
      await this.#take().catch((error: unknown) => {
        if (outageOf(error) === undefined) this.#options.log.warn({ err: error }, 'webhooks of the queue cannot be read')
      })
    }
    this.#looking = false
  }

  async #take(): Promise<void> {
    const { database, log, webhooks } = this.#options
    const held = new Map<string, number>()
    for (const host of this.#courier.hosts) held.set(host, (held.get(host) ?? 0) + 1)
    const most = MOST_AT_ONCE - this.#courier.hosts.length
    if (most <= 0) return
    const leaseMs = LEASE * (webhooks.attemptMs ?? ATTEMPT_MS)
    const { due, lost } = await database.takeHooks({ leaseMs, most, mostOfHost: MOST_OF_HOST, held })
    for (const name of lost) log.warn({ webhook: name.split(' ', 1)[0], reason: 'too many wait, or for too long' }, NOT_DELIVERED)
    for (const hook of due) this.#send(hook)
  }

  #send({ name, attempts, view }: TakenHook): void {
    const message = { ...messageOf(view), attempts, name }
    // Whoever can write to the queue is not believed where messages may go.
    if (this.#options.webhooks.allow.accept(message.url.href) === undefined) this.#attempted(message, 'not in the list')
    else this.#courier.send(message)
  }

  #attempted(message: Leased, result: Result): void {
    const { log, webhooks } = this.#options
    if (arrived(result)) {
      log.debug(factsOf(message), 'a webhook was delivered')
      return this.#end(message)
    }
    const ms = pauseAfter(message.attempts, result, webhooks.retryMs)
    if (ms === undefined) log.warn({ ...factsOf(message), reason: result }, NOT_DELIVERED)
    else log.debug({ ...factsOf(message), reason: result, ms: Math.round(ms) }, 'a webhook is tried again')
    this.#end(message, ms)
  }

  /** @param pause until the next attempt; undefined: there is none */
  #end({ name, url, attempts }: Leased, pause?: number): void {
    const { database } = this.#options
    const ended = database
      .endHook(name, url.host, attempts, pause)
      // Its lease ends by itself.
      .catch(() => {})
      .then(() => {
        this.#ending.delete(ended)
        void this.#look()
      })
    this.#ending.add(ended)
  }
}

const NOT_DELIVERED = 'a webhook was not delivered'
