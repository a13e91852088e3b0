import type { Redis } from 'ioredis'
import { FACTS_MS, FORGOTTEN_MS, type WorkerBoard } from '../queue-database.js'
import { PREFIX } from './redis-connection.js'
import type { Scripts } from './scripts.js'

export class RedisBoard implements WorkerBoard {
  readonly #redis: Redis
  readonly #scripts: Scripts

  constructor(redis: Redis, scripts: Scripts) {
    this.#redis = redis
    this.#scripts = scripts
  }

  async announce(worker: string, announcement: string, facts: readonly { name: string; text: string }[]): Promise<void> {
    const all = facts.flatMap(({ name, text }) => [name, text])
    await this.#scripts.run('announce', worker, announcement, FORGOTTEN_MS, FACTS_MS, ...all)
  }

  async withdraw(worker: string): Promise<void> {
    await this.#scripts.run('withdraw', worker)
  }

  async workers(): Promise<string[]> {
    return this.#present('workers', 'worker')
  }

  async offered(): Promise<string[]> {
    return this.#present('models', 'model')
  }

  /** The texts of all that a list names; what has come to its end leaves the list. */
  async #present(list: string, kind: string): Promise<string[]> {
    const names = await this.#redis.zrange(PREFIX + list, 0, '-1')
    if (names.length === 0) return []
    const texts = await this.#redis.mget(names.map(name => `${PREFIX}${kind}:${name}`))
    const gone = names.filter((_, index) => texts[index] === null)
    if (gone.length > 0) await this.#redis.zrem(PREFIX + list, ...gone)
    return texts.flatMap(text => (typeof text === 'string' ? [text] : []))
  }
}
