import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createApp } from '../../../../lib/server/http/app.js'
import { serverOptions } from '../../../../lib/server/options.js'
import { FakeBackend, tinyModel, until } from '../../fake-backend.js'

/** A server on a fake backend that listens and is ready; the test closes it. */
export async function listening(options: object = {}, backend = new FakeBackend()) {
  const app = await createApp(serverOptions({ models: { tiny: tinyModel }, ...options }), false, { backend })
  await app.listen({ port: 0, host: '127.0.0.1' })
  if (backend.loadError === undefined && !backend.slow) await until(async () => (await app.wuerstchen.readiness()).ready)
  return { app, backend, port: (app.server.address() as AddressInfo).port }
}

export interface Line {
  socket: Socket
  /** All that has come. */
  text(): string
  closed: Promise<void>
  isClosed(): boolean
}

/** A connection over which `sent` has been sent. */
export async function open(port: number, sent: string | Buffer = ''): Promise<Line> {
  const chunks: Buffer[] = []
  let over = false
  const socket = connect(port, '127.0.0.1')
  socket.on('data', chunk => chunks.push(chunk)).on('error', () => {})
  const closed = once(socket, 'close').then(() => {
    over = true
  })
  await once(socket, 'connect')
  if (sent.length > 0) socket.write(sent)
  return { socket, text: () => Buffer.concat(chunks).toString('latin1'), closed, isClosed: () => over }
}

/** The begin of a request with a body. */
export function head(path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ host: 'localhost', 'content-type': 'application/json', ...headers })
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

export function request(path: string, body: string, headers: Record<string, string | number> = {}): string {
  return `${head(path, { 'content-length': Buffer.byteLength(body), ...headers })}${body}`
}

export async function allOver(app: FastifyInstance): Promise<void> {
  await app.wuerstchen.abort()
  app.server.closeAllConnections()
  await app.close()
}
