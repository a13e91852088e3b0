import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, vi } from 'vitest'
import { s3Python } from '../../scripts/setup/s3.mjs'
import { has } from './programs.mjs'
import { root } from './small-model.js'

/** Tests that need Redis and a server that speaks S3: left out by name where there is none. */
export const describeWithS3 = describe.skipIf(!has('test/s3') || !has('redis-server'))

interface Facts {
  endpoint: string
  bucket: string
  prefix: string
  region: string
  accessKeyId: string
  secretAccessKey: string
}

/** What goes wrong on the way: true where it has answered. */
export type Fault = (request: IncomingMessage, reply: ServerResponse) => boolean

/** test/s3/server.py, and a way to it on which things can go wrong. */
export class S3Server {
  readonly facts: Facts
  /** Of each request, in their order: method and path. */
  readonly seen: string[] = []
  fault: Fault = () => false
  /** Changes what the store answers. */
  change: (body: Buffer, request: IncomingMessage) => Buffer = body => body
  readonly #child: ChildProcess
  readonly #proxy: Server

  private constructor(child: ChildProcess, facts: Facts) {
    this.#child = child
    this.facts = facts
    this.#proxy = createServer((asked, reply) => this.#pass(asked, reply))
  }

  static async start(): Promise<S3Server> {
    const child = spawn(s3Python, [join(root, 'test', 's3', 'server.py')], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // Short pages of lists, so that a few files are more than one.
      env: { ...process.env, MOTO_S3_DEFAULT_MAX_KEYS: '10' }
    })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const server = new S3Server(child, JSON.parse(line) as Facts)
    server.#proxy.listen(0, '127.0.0.1')
    await once(server.#proxy, 'listening')
    return server
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}`
  }

  get place(): string {
    return `s3://${this.facts.bucket}/${this.facts.prefix}`
  }

  /** The environment of servers and workers, until `vi.unstubAllEnvs()`. */
  stubEnv(changes: Readonly<Record<string, string>> = {}): void {
    const { region, accessKeyId, secretAccessKey } = this.facts
    const own = { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    const all = { AWS_ENDPOINT_URL: this.endpoint, AWS_ENDPOINT_URL_S3: '', AWS_SESSION_TOKEN: '', ...own, ...changes }
    for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
  }

  /** How often something was asked for. */
  count(pattern: RegExp): number {
    return this.seen.filter(each => pattern.test(each)).length
  }

  async stop(): Promise<void> {
    this.#proxy.closeAllConnections()
    this.#proxy.close()
    const ended = once(this.#child, 'exit')
    this.#child.stdin!.end()
    await ended
  }

  #pass(asked: IncomingMessage, reply: ServerResponse): void {
    const { method, url, headers } = asked
    this.seen.push(`${method} ${url}`)
    if (this.fault(asked, reply)) return void asked.resume()
    // The host stays the one that was signed.
    const passed = request(this.facts.endpoint + url, { method, headers }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk as Buffer))
      answer.on('end', () => {
        const body = this.change(Buffer.concat(chunks), asked)
        const { 'transfer-encoding': _, ...rest } = answer.headers
        reply
          .writeHead(answer.statusCode!, { ...rest, ...(method === 'HEAD' ? {} : { 'content-length': body.length }) })
          .end(body)
      })
    })
    passed.on('error', () => reply.destroy())
    asked.pipe(passed)
  }
}
