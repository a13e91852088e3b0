import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { has } from './programs.mjs'

/** Tests that need Redis: left out by name where there is none. */
export const describeWithRedis = describe.skipIf(!has('redis-server'))

export interface RedisOptions {
  appendfsync?: 'everysec' | 'always'
  password?: string
  /** Further arguments. */
  args?: readonly string[]
}

/** A Redis of one's own: a port and a folder that nobody else has. It can be killed and started again with what it has written. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #options: RedisOptions
  #child: ChildProcess | undefined

  private constructor(port: number, options: RedisOptions) {
    this.port = port
    this.#options = options
    this.#folder = mkdtempSync(join(tmpdir(), 'wuerstchen-redis-'))
  }

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options)
    await server.start()
    return server
  }

  get url(): string {
    const { password } = this.#options
    return `redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const { appendfsync = 'everysec', password, args = [] } = this.#options
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '', '--daemonize', 'no']
    this.#child = spawn(
      'redis-server',
      [...own, '--appendonly', 'yes', '--appendfsync', appendfsync, ...(password ? ['--requirepass', password] : []), ...args],
      { stdio: 'ignore' }
    )
    while (!(await listens(this.port))) await new Promise(resolve => setTimeout(resolve, 10))
  }

  /** As a power cut would end it. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Stops it where it is; nobody is told. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }

  async stop(): Promise<void> {
    await this.#end('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
