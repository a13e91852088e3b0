import type { Redis } from 'ioredis'
import type { Ear, EarHooks } from '../ear.js'
import { PREFIX } from './redis-connection.js'

/** A connection of its own: one that has subscribed can do nothing else. */
export class RedisEar implements Ear {
  readonly #redis: Redis

  constructor(redis: Redis, { told, found, lost }: EarHooks) {
    this.#redis = redis
    redis.on('message', (channel: string, text: string) => told(channel.slice(PREFIX.length), text))
    redis.on('ready', found)
    redis.on('close', lost)
  }

  async listen(name: string): Promise<void> {
    // One that fails is made again with the connection.
    await this.#redis.subscribe(PREFIX + name).catch(() => {})
  }

  ignore(name: string): void {
    this.#redis.unsubscribe(PREFIX + name).catch(() => {})
  }

  close(): void {
    this.#redis.disconnect()
  }
}
