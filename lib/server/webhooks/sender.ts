import { randomUUID } from 'node:crypto'
import { jobReply } from '../api/jobs.js'
import { seconds } from '../api/replies.js'
import type { JobView, StoreObserver } from '../jobs/store.js'
import type { AllowList } from './allow-list.js'
import { post, type PostOptions } from './post.js'
import { signedHeaders } from './signature.js'

export interface WebhookOptions extends Pick<PostOptions, 'lookUp' | 'ca'> {
  allow: AllowList
  /** What messages are signed with. */
  keys: readonly Buffer[]
  /** The first pause between two attempts. Defaults to 5 s. */
  retryMs?: number
  /** How long one attempt may take. Defaults to 15 s. */
  attemptMs?: number
}

interface Log {
  warn(facts: object, text: string): void
  debug(facts: object, text: string): void
}

interface Message {
  id: string
  job: string
  url: URL
  body: string
  attempts: number
}

/** After the first attempt about 5 s, 20 s, 80 s, 5 min and 21 min are waited: half an hour in all. */
export const MOST_ATTEMPTS = 6
const RETRY_MS = 5000
const GROWTH = 4
const ATTEMPT_MS = 15_000
/** A receiver that does not answer holds up only its own. */
const MOST_AT_ONCE = 16
const MOST_OF_HOST = 4
const MOST_WAITING = 10_000
/** What is on its way when the server ends has this long. */
const CLOSING_MS = 800
/** The receiver says that there will never be anybody. */
const GONE = 410

/** Tells those who asked for it how jobs ended, by the Standard Webhooks specification. */
export class WebhookSender implements StoreObserver {
  readonly #options: WebhookOptions
  readonly #log: Log
  readonly #ready: Message[] = []
  readonly #later = new Map<Message, NodeJS.Timeout>()
  readonly #running = new Map<Message, { attempt: Promise<void>; cut(): void }>()
  #closing = false
  #closed = false

  constructor(options: WebhookOptions, log: Log) {
    this.#options = options
    this.#log = log
  }

  ended(view: JobView): void {
    if (view.webhookUrl === null) return
    const type = `job.${view.state}`
    const body = JSON.stringify({ type, timestamp: new Date(view.endedAt!).toISOString(), data: jobReply(view) })
    const message = { id: `msg_${randomUUID()}`, job: view.id, url: new URL(view.webhookUrl), body, attempts: 0 }
    if (this.#ready.length + this.#later.size >= MOST_WAITING) return this.#giveUp(message, 'too many wait')
    this.#ready.push(message)
    this.#fill()
  }

  /** Lets what is on its way arrive, for a moment, and says in the log what did not. */
  async close(): Promise<void> {
    this.#closing = true
    for (const [message, timer] of this.#later) {
      clearTimeout(timer)
      this.#giveUp(message, 'the server ends')
    }
    this.#later.clear()
    const timer = setTimeout(() => {
      this.#closed = true
      for (const { cut } of this.#running.values()) cut()
    }, CLOSING_MS)
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ attempt }) => attempt))
    clearTimeout(timer)
    for (const message of this.#ready.splice(0)) this.#giveUp(message, 'the server ends')
  }

  #fill(): void {
    while (this.#running.size < MOST_AT_ONCE && !this.#closed) {
      const index = this.#ready.findIndex(({ url }) => this.#runningOf(url.host) < MOST_OF_HOST)
      if (index < 0) return
      const [message] = this.#ready.splice(index, 1) as [Message]
      const controller = new AbortController()
      this.#running.set(message, { attempt: this.#attempt(message, controller), cut: () => controller.abort() })
    }
  }

  #runningOf(host: string): number {
    return [...this.#running.keys()].filter(({ url }) => url.host === host).length
  }

  async #attempt(message: Message, controller: AbortController): Promise<void> {
    message.attempts++
    const timer = setTimeout(() => controller.abort(), this.#options.attemptMs ?? ATTEMPT_MS)
    const result = await this.#post(message, controller.signal)
    clearTimeout(timer)
    this.#running.delete(message)
    const arrived = typeof result === 'number' && result >= 200 && result < 300
    if (arrived) this.#log.debug(factsOf(message), 'a webhook was delivered')
    else if (result === GONE || message.attempts >= MOST_ATTEMPTS || this.#closing) this.#giveUp(message, result)
    else this.#retry(message, result)
    this.#fill()
  }

  /** The status of the answer, or why there is none. */
  async #post({ id, url, body }: Message, signal: AbortSignal): Promise<number | string> {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'wuerstchen',
      ...signedHeaders(id, seconds(), body, this.#options.keys)
    }
    try {
      return await post(url, headers, body, { ...this.#options, signal })
    } catch (error) {
      return signal.aborted ? 'no answer in time' : String((error as NodeJS.ErrnoException).code ?? 'unknown')
    }
  }

  /** Many that failed together do not come again together: each pause is between half and one and a half of its length. */
  #retry(message: Message, reason: number | string): void {
    const { retryMs = RETRY_MS } = this.#options
    const ms = retryMs * GROWTH ** (message.attempts - 1) * (0.5 + Math.random())
    this.#log.debug({ ...factsOf(message), reason, ms: Math.round(ms) }, 'a webhook is tried again')
    const timer = setTimeout(() => {
      this.#later.delete(message)
      this.#ready.push(message)
      this.#fill()
    }, ms).unref()
    this.#later.set(message, timer)
  }

  #giveUp(message: Message, reason: number | string): void {
    this.#log.warn({ ...factsOf(message), reason }, 'a webhook was not delivered')
  }
}

/** Without the rest of the address, which may have a secret of its receiver. */
function factsOf({ id, job, url, attempts }: Message): object {
  return { webhook: id, job, host: url.host, attempts }
}
