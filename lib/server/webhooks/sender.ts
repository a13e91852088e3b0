import type { JobView, StoreObserver } from '../jobs/store.js'
import { Courier, type WebhookLog, type WebhookOptions } from './courier.js'
import { factsOf, messageOf, type Message } from './message.js'
import { arrived, MOST_WAITING, pauseAfter, type Result } from './retry.js'

/**
 * Tells those who asked for it how jobs of this process ended, by the Standard Webhooks specification. What has not arrived when
 * the process ends is in the log, for its jobs end with it too.
 */
export class WebhookSender implements StoreObserver {
  readonly #options: WebhookOptions
  readonly #log: WebhookLog
  readonly #courier: Courier<Message>
  readonly #later = new Map<Message, NodeJS.Timeout>()
  #closing = false

  constructor(options: WebhookOptions, log: WebhookLog) {
    this.#options = options
    this.#log = log
    this.#courier = new Courier(options, (message, result) => this.#attempted(message, result))
  }

  ended(view: JobView): void {
    if (view.webhookUrl === null) return
    const message = messageOf(view)
    if (this.#courier.waiting + this.#later.size >= MOST_WAITING) this.#giveUp(message, 'too many wait')
    else this.#send(message)
  }

  /** Lets what is on its way arrive, for a moment, and says in the log what did not. */
  async close(): Promise<void> {
    this.#closing = true
    for (const [message, timer] of this.#later) {
      clearTimeout(timer)
      this.#giveUp(message, 'the server ends')
    }
    this.#later.clear()
    for (const message of await this.#courier.close()) this.#giveUp(message, 'the server ends')
  }

  #send(message: Message): void {
    message.attempts++
    this.#courier.send(message)
  }

  #attempted(message: Message, result: Result): void {
    if (arrived(result)) return this.#log.debug(factsOf(message), 'a webhook was delivered')
    const ms = pauseAfter(message.attempts, result, this.#options.retryMs)
    if (ms === undefined || this.#closing) return this.#giveUp(message, result)
    this.#log.debug({ ...factsOf(message), reason: result, ms: Math.round(ms) }, 'a webhook is tried again')
    const timer = setTimeout(() => {
      this.#later.delete(message)
      this.#send(message)
    }, ms).unref()
    this.#later.set(message, timer)
  }

  #giveUp(message: Message, reason: Result): void {
    this.#log.warn({ ...factsOf(message), reason }, 'a webhook was not delivered')
  }
}
