import type { Redis } from 'ioredis'
import type { Ear, EarHooks } from '../ear.js'
import { channels } from './redis-connection.js'

/** A connection of its own: one that has subscribed can do nothing else. */
export class RedisEar implements Ear {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, { told, found, lost }: EarHooks) {
    this.#redis = redis
    this.#prefix = channels(redis)
    redis.on('message', (channel: string, text: string) => told(channel.slice(this.#prefix.length), text))
    redis.on('ready', found)
    redis.on('close', lost)
  }

  async listen(name: string): Promise<void> {
    // One that fails is made again with the connection.
    await this.#redis.subscribe(this.#prefix + name).catch(() => {})
  }

  ignore(name: string): void {
    this.#redis.unsubscribe(this.#prefix + name).catch(() => {})
  }

  close(): void {
    this.#redis.disconnect()
  }
}
