import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'

/** @import { Failure } from './queues.mjs' */

/**
 * @typedef {object} RedisOptions
 * @property {'everysec' | 'always'} [appendfsync]
 * @property {string} [password]
 * @property {readonly string[]} [args] further arguments
 * @property {boolean} [canLosePower]
 * @property {'redis' | 'rediss'} [scheme] of the address
 */

/** A Redis of one's own: a port and a folder that nobody else has. It can be killed and started with what it has written. */
export class RedisServer {
  /** @type {number} */
  port
  #folder = mkdtempSync(join(tmpdir(), 'wuerstchen-redis-'))
  /** @type {RedisOptions} */
  #options
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child

  /** @param {number} port @param {RedisOptions} options */
  constructor(port, options) {
    this.port = port
    this.#options = options
  }

  /** @param {RedisOptions} [options] */
  static async start(options = {}) {
    const server = new RedisServer(await freePort(), options)
    await server.start()
    return server
  }

  get url() {
    const { password, scheme = 'redis' } = this.#options
    return `${scheme}://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${this.port}`
  }

  get pid() {
    return this.#child?.pid
  }

  async start() {
    const { appendfsync = 'everysec', password, args = [], scheme, canLosePower } = this.#options
    const ports = scheme === 'rediss' ? ['--port', '0', '--tls-port', String(this.port)] : ['--port', String(this.port)]
    const own = [...ports, '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '', '--daemonize', 'no']
    const kept = ['--appendonly', 'yes', '--appendfsync', appendfsync]
    const secret = password === undefined ? [] : ['--requirepass', password]
    const env = canLosePower === true ? { ...process.env, ...this.#noting() } : process.env
    this.#child = spawn('redis-server', [...own, ...kept, ...secret, ...args], { stdio: 'ignore', env })
    const child = this.#child
    while (!(await listens(this.port))) {
      if (child.exitCode !== null) throw new Error('redis-server has ended')
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** As SIGKILL ends it: nobody is told. */
  async kill() {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  /**
   * As the end of its machine: what it had written, and had not been told that the disk has it, is gone.
   * @returns {Promise<number>} bytes that are lost
   */
  async losePower() {
    await this.kill()
    /** @type {Map<string, number>} */
    const sizes = new Map()
    for (const line of readFileSync(this.#notes, 'utf8').trimEnd().split('\n')) {
      const [size = '', path = ''] = line.split(/ (.*)/)
      sizes.set(path, Number(size))
    }
    let lost = 0
    const folder = join(this.#folder, 'appendonlydir')
    for (const name of readdirSync(folder).filter(each => each.endsWith('.incr.aof'))) {
      const path = join(folder, name)
      const kept = sizes.get(path) ?? 0
      lost += statSync(path).size - kept
      truncateSync(path, kept)
    }
    return lost
  }

  #noting() {
    const library = join(this.#folder, 'synced.so')
    const source = fileURLToPath(new URL('synced.cc', import.meta.url))
    if (!existsSync(library)) execFileSync('g++', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'])
    return { LD_PRELOAD: library, WUERSTCHEN_SYNCED: this.#notes }
  }

  get #notes() {
    return join(this.#folder, 'synced.txt')
  }

  async stop() {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Why jobs have failed, and the workers that it says. @returns {Promise<Failure[]>} */
  async failures() {
    return this.#ask(async redis => {
      /** @type {Failure[]} */
      const failures = []
      for (const key of await redis.keys('{wuerstchen}:job:*')) {
        const [state, error, fixed, missed] = await redis.hmget(key, 'state', 'error', 'view', 'missed')
        if (state !== 'failed') continue
        const workers = (missed ?? '').split(' ').flatMap(each => (each === '' ? [] : [each.replace(/@.*/, '')]))
        failures.push({ key: JSON.parse(fixed ?? '{}').idempotency?.key, message: JSON.parse(error ?? '{}').message, workers })
      }
      return failures
    })
  }

  /** What is known of jobs that are not over. @returns {Promise<string[]>} */
  async unfinished() {
    return this.#ask(async redis => {
      const lines = [`tickets: ${JSON.stringify(Object.entries(await redis.hgetall('{wuerstchen}:tickets')))}`]
      for (const key of await redis.keys('{wuerstchen}:job:*')) {
        const [state, run, worker, at, fixed] = await redis.hmget(key, 'state', 'run', 'ranBy', 'createdAt', 'view')
        if (state !== 'queued' && state !== 'running') continue
        const { owner } = JSON.parse(fixed ?? '{}')
        const lane = await redis.lrange(`{wuerstchen}:lane:tiny:${owner}`, 0, -1)
        lines.push(JSON.stringify({ key, state, run, worker, at, owner, lane }))
      }
      for (const key of await redis.keys('{wuerstchen}:model-tiny:*')) {
        const type = await redis.type(key)
        if (type === 'list') lines.push(`${key} ${JSON.stringify(await redis.lrange(key, 0, -1))}`)
        if (type === 'hash') lines.push(`${key} ${JSON.stringify(await redis.hgetall(key))}`)
        if (type === 'string' || type === 'zset' || type === 'set') lines.push(`${key} ${type}`)
      }
      return lines
    })
  }

  /** @template T @param {(redis: Redis) => Promise<T>} ask @returns {Promise<T>} */
  async #ask(ask) {
    const redis = new Redis(this.url, { maxRetriesPerRequest: 0, commandTimeout: 1000, retryStrategy: () => null })
    redis.on('error', () => {})
    try {
      return await ask(redis)
    } finally {
      redis.disconnect()
    }
  }
}

/** @returns {Promise<number>} */
export async function freePort() {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  await new Promise(resolve => server.close(resolve))
  return port
}

/** @param {number} port @returns {Promise<boolean>} */
function listens(port) {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
