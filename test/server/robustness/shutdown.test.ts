import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { FakeBackend, fakeImage, resultOf, until } from '../fake-backend.js'
import { listening, open, request, type Line } from './support/sockets.js'

const GENERATIONS = '/v1/images/generations'
const LIVE = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'
/** More than the sockets of both sides hold. */
const LARGE = 24 * 1024 * 1024

/** Lets the run that waits finish with one large image. */
function finishLarge({ runs }: FakeBackend): void {
  const { work, finish } = runs.at(-1)!
  const result = resultOf(work)
  if (result.kind === 'images') result.images = [{ ...fakeImage(work, 0), file: Buffer.alloc(LARGE, 1) }]
  finish(result)
}

/** How long the body of the reply is that has come, and how long it should be. */
function lengths({ text }: Line): { got: number; expected: number } {
  const [head, ...rest] = text().split('\r\n\r\n')
  return { got: rest.join('\r\n\r\n').length, expected: Number(/content-length: (\d+)/i.exec(head!)?.[1]) }
}

const seconds = async (promise: Promise<unknown>): Promise<number> => {
  const begin = performance.now()
  await promise
  return (performance.now() - begin) / 1000
}

describe('a server that ends', () => {
  test('sends an answer whole to whoever reads it slowly, whether it was made before or after', async () => {
    const { app, backend, port } = await listening({ graceSeconds: 30 })
    const before = await open(port, request(GENERATIONS, '{"prompt":"x"}'))
    before.socket.pause()
    await until(() => backend.runs.length === 1)
    finishLarge(backend)
    await until(() => app.wuerstchen.held.bytes > LARGE)
    const after = await open(port, request(GENERATIONS, '{"prompt":"x"}'))
    after.socket.pause()
    await until(() => backend.runs.length === 2)
    const closing = app.close()
    await until(() => app.wuerstchen.draining)
    finishLarge(backend)
    await pause(300)
    for (const { socket } of [before, after]) socket.resume()
    await Promise.all([before.closed, after.closed, closing])
    for (const line of [before, after]) {
      const { got, expected } = lengths(line)
      expect(expected).toBeGreaterThan(LARGE)
      expect(got).toBe(expected)
    }
    expect(after.text().slice(0, 2000)).toMatch(/\r\nconnection: close\r\n/i)
  })

  test('sends a stream to its end, and does not keep its connection afterwards', async () => {
    const { app, backend, port } = await listening({ graceSeconds: 30 })
    const stream = await open(port, request(GENERATIONS, '{"prompt":"x","stream":true}'))
    await until(() => stream.text().includes('events follow'))
    const closing = app.close()
    await until(() => app.wuerstchen.draining)
    finishLarge(backend)
    expect(await seconds(Promise.all([closing, stream.closed]))).toBeLessThan(10)
    expect(stream.text()).toContain('image_generation.completed')
    expect(stream.text().endsWith('0\r\n\r\n')).toBe(true)
  })

  test('closes silent and idle connections at once, and half-sent ones with the grace time', async () => {
    const { app, port } = await listening({ graceSeconds: 1 })
    const idle = await open(port, LIVE)
    await until(() => idle.text().endsWith('{"status":"ok"}'))
    const silent = await open(port)
    const halfHead = await open(port, LIVE.slice(0, 20))
    const halfBody = await open(port, request('/v1/images/variations', '{"image":"AAAA"}').slice(0, -3))
    await until(() => app.wuerstchen.held.bytes > 0)
    // The half of a head has arrived too.
    await pause(100)
    const closing = seconds(app.close())
    await Promise.all([silent.closed, idle.closed])
    expect([halfHead.isClosed(), halfBody.isClosed()]).toEqual([false, false])
    await Promise.all([halfHead.closed, halfBody.closed])
    const took = await closing
    expect(took).toBeGreaterThan(0.9)
    expect(took).toBeLessThan(2)
  })

  test('answers a body that was half sent, and says why', async () => {
    const { app, port } = await listening({ graceSeconds: 10 })
    const text = request(GENERATIONS, '{"prompt":"x"}')
    const line = await open(port, text.slice(0, -5))
    await until(() => app.wuerstchen.held.bytes > 0)
    const closing = app.close()
    await until(() => app.wuerstchen.draining)
    line.socket.write(text.slice(-5))
    await Promise.all([line.closed, closing])
    expect(line.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*"shutting_down"/)
  })

  test('waits no longer than its grace time for whoever does not read', async () => {
    const { app, backend, port } = await listening({ graceSeconds: 1 })
    const line = await open(port, request(GENERATIONS, '{"prompt":"x"}'))
    line.socket.pause()
    await until(() => backend.runs.length === 1)
    finishLarge(backend)
    await until(() => app.wuerstchen.held.bytes > LARGE)
    expect(await seconds(app.close())).toBeLessThan(2)
    line.socket.destroy()
  })
})

describe('a server that ends while a model is loaded', () => {
  const loading = async (graceSeconds: number): Promise<{ app: FastifyInstance; port: number; backend: FakeBackend }> => {
    const backend = new FakeBackend()
    backend.slow = true
    const server = await listening({ graceSeconds }, backend)
    await until(() => backend.loads.length === 1)
    return server
  }

  test('ends the load at once where nobody waits for it', async () => {
    const { app } = await loading(60)
    expect(await seconds(app.close())).toBeLessThan(5)
  })

  test('tells whoever waits for it so when the grace time is over', async () => {
    const { app, port } = await loading(1)
    const line = await open(port, request(GENERATIONS, '{"prompt":"x"}'))
    await until(async () => (await app.wuerstchen.jobs.stats()).running === 1)
    const took = await seconds(Promise.all([app.close(), line.closed]))
    expect(took).toBeGreaterThan(0.9)
    expect(took).toBeLessThan(2)
    expect(line.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*"shutting_down"/)
  })
})

describe('a client that leaves', () => {
  test('takes along all that it sent over its connection, whether it had a reply yet or not', async () => {
    const { app, backend, port } = await listening()
    const line = await open(port, request(GENERATIONS, '{"prompt":"x"}').repeat(30))
    await until(async () => (await app.wuerstchen.jobs.stats()).queued === 22)
    line.socket.destroy()
    await until(async () => {
      const { queued, running } = await app.wuerstchen.jobs.stats()
      return queued + running === 0
    })
    expect(backend.runs.every(({ signal }) => signal.aborted)).toBe(true)
    expect(app.wuerstchen.held.bytes).toBe(0)
    await app.close()
  })
})
