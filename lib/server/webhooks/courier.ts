import { seconds } from '../api/replies.js'
import type { AllowList } from './allow-list.js'
import type { Message } from './message.js'
import { post, type PostOptions } from './post.js'
import type { Result } from './retry.js'
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

export interface WebhookLog {
  warn(facts: object, text: string): void
  debug(facts: object, text: string): void
}

export const ATTEMPT_MS = 15_000
export const MOST_AT_ONCE = 16
/** A receiver that does not answer holds up only its own. */
export const MOST_OF_HOST = 4
/** What is on its way when the server ends has this long. */
const CLOSING_MS = 800

/** Makes attempts to deliver messages, and says how each went: so many at once, and so many to one host. */
export class Courier<M extends Message> {
  readonly #options: WebhookOptions
  readonly #over: (message: M, result: Result) => void
  readonly #ready: M[] = []
  readonly #running = new Map<M, { attempt: Promise<void>; cut(): void }>()
  #closed = false

  constructor(options: WebhookOptions, over: (message: M, result: Result) => void) {
    this.#options = options
    this.#over = over
  }

  /** How many wait until they can be sent. */
  get waiting(): number {
    return this.#ready.length
  }

  /** The hosts of all that is here, one a message. */
  get hosts(): string[] {
    return [...this.#ready, ...this.#running.keys()].map(({ url }) => url.host)
  }

  send(message: M): void {
    this.#ready.push(message)
    this.#fill()
  }

  /** Lets what is on its way arrive, for a moment. @returns what has not been sent */
  async close(): Promise<M[]> {
    const timer = setTimeout(() => {
      this.#closed = true
      for (const { cut } of this.#running.values()) cut()
    }, CLOSING_MS)
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ attempt }) => attempt))
    clearTimeout(timer)
    return this.#ready.splice(0)
  }

  #fill(): void {
    while (this.#running.size < MOST_AT_ONCE && !this.#closed) {
      const index = this.#ready.findIndex(({ url }) => this.#runningOf(url.host) < MOST_OF_HOST)
      if (index < 0) return
      const [message] = this.#ready.splice(index, 1) as [M]
      const controller = new AbortController()
      this.#running.set(message, { attempt: this.#attempt(message, controller), cut: () => controller.abort() })
    }
  }

  #runningOf(host: string): number {
    return [...this.#running.keys()].filter(({ url }) => url.host === host).length
  }

  async #attempt(message: M, controller: AbortController): Promise<void> {
    const timer = setTimeout(() => controller.abort(), this.#options.attemptMs ?? ATTEMPT_MS)
    const result = await this.#post(message, controller.signal)
    clearTimeout(timer)
    this.#running.delete(message)
    this.#over(message, result)
    this.#fill()
  }

  async #post({ id, url, body }: Message, signal: AbortSignal): Promise<Result> {
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
}
