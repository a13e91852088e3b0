import type { Redis } from 'ioredis'
import { PREFIX } from './database.js'

/** A message of a job. Messages of one job are numbered, so that whoever has read its record knows which ones it has in it. */
export interface Message {
  seq: number
  kind: string
  contents: string
}

/** How often whoever waits looks for itself: messages are the quick way, and a connection that was cut has lost some. */
const LOOK_MS = 1000

export interface Hearing {
  /** Nothing is missed from then on, but for what is said while the connection is away. */
  begun: Promise<void>
  end(): void
}

/** What is told in the queue's database, on one connection for all who listen in this process. */
export class News {
  readonly #redis: Redis
  readonly #listeners = new Map<string, Set<(text: string) => void>>()
  readonly #lookers = new Set<() => void>()
  readonly #timer: NodeJS.Timeout

  constructor(redis: Redis) {
    this.#redis = redis
    redis.on('message', (channel: string, text: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(text)
    })
    // What was said while the connection was away is not said again.
    redis.on('ready', () => this.#look())
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  hear(name: string, listener: (text: string) => void): Hearing {
    const channel = PREFIX + name
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
    // Also where it is heard already: the answer says from when on. One that fails is made again with the connection.
    const begun = this.#redis.subscribe(channel).then(
      () => {},
      () => {}
    )
    return {
      begun,
      end: () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        this.#listeners.delete(channel)
        this.#redis.unsubscribe(channel).catch(() => {})
      }
    }
  }

  /**
   * @param message hears what a job has to say
   * @param look is called now and then: something may have been missed
   */
  follow(job: string, message: (message: Message) => void, look: () => void): Hearing {
    const { begun, end } = this.hear(`news:${job}`, text => message(readMessage(text)))
    this.#lookers.add(look)
    return {
      begun,
      end: () => {
        end()
        this.#lookers.delete(look)
      }
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#redis.disconnect()
  }

  #look(): void {
    for (const look of this.#lookers) look()
  }
}

function readMessage(text: string): Message {
  const [, seq, kind, contents] = /^(\d+) (\S+) (.*)$/s.exec(text) ?? []
  return { seq: Number(seq), kind: kind ?? '', contents: contents ?? '' }
}
