import type { Ear, OpenEar } from './ear.js'
import type { Told } from './queue-database.js'

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

/** Whether the database can be heard. */
export interface LinkHooks {
  lost(): void
  found(): void
}

/** What is told in the queue's database, on one connection for all who listen in this process. */
export class News {
  readonly #ear: Ear
  readonly #listeners = new Map<string, Set<(text: string) => void>>()
  readonly #lookers = new Set<() => void>()
  readonly #links = new Set<LinkHooks>()
  readonly #timer: NodeJS.Timeout

  constructor(open: OpenEar) {
    this.#ear = open({
      told: (name, text) => {
        for (const listener of this.#listeners.get(name) ?? []) listener(text)
      },
      found: () => {
        // What was said while the connection was away is not said again.
        this.#look()
        for (const { found } of this.#links) found()
      },
      lost: () => {
        for (const { lost } of this.#links) lost()
      }
    })
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  hear(name: Told, listener: (text: string) => void): Hearing {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return {
      // Also where it is heard already: the answer says from when on.
      begun: this.#ear.listen(name),
      end: () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        this.#listeners.delete(name)
        this.#ear.ignore(name)
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

  /** Hears from now on when the connection goes and comes. */
  watch(hooks: LinkHooks): void {
    this.#links.add(hooks)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#ear.close()
  }

  #look(): void {
    for (const look of this.#lookers) look()
  }
}

function readMessage(text: string): Message {
  const [, seq, kind, contents] = /^(\d+) (\S+) (.*)$/s.exec(text) ?? []
  return { seq: Number(seq), kind: kind ?? '', contents: contents ?? '' }
}
