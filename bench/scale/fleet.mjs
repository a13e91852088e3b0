import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { root } from '../places.mjs'
import { start } from '../serve-process.mjs'
import { RedisServer } from './redis.mjs'

/** @import { Server } from '../serve-process.mjs' */

const CLI = join(root, 'dist', 'cli', 'main.js')
/** What workers call their model. */
export const MODEL = 'm'

/** None of these is what is measured: no request is to be refused, and no result forgotten, for want of room. */
const ROOM = ['--max-queued', '100000', '--max-queued-per-key', '100000', '--max-kept-jobs', '100000']

/** Servers with keys tell their figures to this one. */
const ADMIN = 'admin-has-a-key-of-their-own'

/** Servers and workers as users start them, each a process of its own, on a Redis of their own. */
export class Fleet {
  redis
  /** @type {Server[]} */
  servers = []
  /** @type {Server[]} */
  workers = []

  /** @param {RedisServer} redis */
  constructor(redis) {
    this.redis = redis
  }

  /** @param {import('./redis.mjs').RedisOptions} [options] */
  static async start(options) {
    return new Fleet(await RedisServer.start(options))
  }

  /** @param {string[]} [keys] as NAME:KEY */
  async server(keys) {
    const env = keys === undefined ? {} : { WUERSTCHEN_API_KEYS: [...keys, `admin:${ADMIN}:admin`].join(',') }
    const server = await start(process.execPath, [CLI, 'serve', ...this.#shared, ...ROOM], env)
    this.servers.push(server)
    return server
  }

  /**
   * Ready when it takes work.
   * @param {string} model a directory @param {number} threads
   * @param {readonly string[]} [more] flags of the command
   */
  async worker(model, threads, more = []) {
    const flags = ['--model', `${MODEL}=${model}`, '--device', 'cpu', '--threads', String(threads), ...more]
    const worker = await start(process.execPath, [CLI, 'worker', ...this.#shared, ...flags])
    this.workers.push(worker)
    return worker
  }

  /** Until all servers know that many workers that take work. @param {number} count */
  async untilOffered(count) {
    for (const { url } of this.servers) while ((await figureOf(url, 'wuerstchen_queue_workers')) !== count) await delay(100)
  }

  async close() {
    await Promise.all([...this.servers, ...this.workers].map(each => each.stop()))
    await this.redis.stop()
  }

  get #shared() {
    return ['--queue', this.redis.url, '--port', '0', '--log-level', 'info']
  }
}

/**
 * A figure of /metrics, over all of its labels.
 * @param {string} url @param {string} name
 */
export async function figureOf(url, name) {
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${ADMIN}` } })).text()
  const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))]
  return lines.reduce((sum, [, value]) => sum + Number(value), 0)
}
