import { createHmac } from 'node:crypto'
import { createServer as serveHttp, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { Deliveries } from '../../../lib/server/queue/deliveries.js'
import { openQueue, type Queue } from '../../../lib/server/queue/queue.js'
import { AllowList } from '../../../lib/server/webhooks/allow-list.js'
import type { WebhookOptions } from '../../../lib/server/webhooks/courier.js'
import { MOST_ATTEMPTS } from '../../../lib/server/webhooks/retry.js'
import { json } from '../fake-backend.js'
import { describeOnQueues, lookInside, type Inside } from '../../support/queues.js'
import { eventually, Fleet } from './fleet.js'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

interface Received {
  headers: IncomingHttpHeaders
  body: string
}

const messageId = (job: string, state: string) => new RegExp(`^msg_${job}_${state}_\\d{13}$`)

describeOnQueues('webhooks of a queue', kind => {
  let fleet: Fleet
  let inside: Inside
  let queue: Queue
  const received: Received[] = []
  let answer = (reply: ServerResponse, _count: number): unknown => reply.writeHead(204).end()
  const receiver = serveHttp((request, reply) => {
    let body = ''
    request.setEncoding('utf8').on('data', part => (body += part))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      answer(reply, received.length)
    })
  })
  const ends: (() => Promise<void>)[] = []
  let options: { webhookAllow: string[]; webhookSecret: string }
  let webhook_url: string

  beforeEach(async () => {
    fleet = await Fleet.start(kind)
    inside = lookInside(kind, fleet.queue.url)
    await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve))
    const { port } = receiver.address() as AddressInfo
    webhook_url = `http://127.0.0.1:${port}/hook`
    options = { webhookAllow: [`http://127.0.0.1:${port}`], webhookSecret: SECRET }
    queue = await openQueue(queueAddress(fleet.queue.url), 'queue', 'prompt')
    answer = reply => reply.writeHead(204).end()
    received.length = 0
  })
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
    await queue.close()
    await inside.end()
    receiver.closeAllConnections()
    await new Promise(resolve => receiver.close(resolve))
    await fleet.end()
  })

  const submit = async (server: FastifyInstance, url = webhook_url) => {
    const body = { endpoint: '/v1/images/generations', body: { prompt: 'x' }, webhook_url: url }
    const reply = await server.inject({ url: '/v1/jobs', ...json(body) })
    expect(reply.statusCode).toBe(202)
    return (reply.json() as { id: string }).id
  }
  /** What one server does about webhooks, with times of one's own. */
  const deliver = (more: Partial<WebhookOptions> = {}, logged: [object, string][] = []) => {
    const log = { warn: (...line: [object, string]) => logged.push(line), debug: () => {} }
    const webhooks = {
      allow: new AllowList(options.webhookAllow),
      keys: [Buffer.alloc(32, 1)],
      retryMs: 1,
      attemptMs: 300,
      ...more
    }
    const deliveries = new Deliveries({ ...queue, webhooks, log })
    ends.push(() => deliveries.close())
    return { deliveries, logged }
  }
  /** A job whose server has ended before it did. */
  const endedJob = async () => {
    const { backend, worker } = await fleet.worker()
    const server = await fleet.server(options)
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    await server.close()
    backend.runs[0]!.finish()
    await eventually(async () => (await pending()) === 1)
    await worker.close()
    return id
  }
  const pending = () => inside.hooks()

  test('are sent by another server when the one that took the job on has ended', async () => {
    const id = await endedJob()
    expect(received).toEqual([])
    const servers = [await fleet.server(options), await fleet.server(options)]
    await eventually(async () => (await pending()) === 0)
    expect(received).toHaveLength(1)
    const [{ headers, body }] = received as [Received]
    expect(headers['webhook-id']).toMatch(messageId(id, 'succeeded'))
    const signed = createHmac('sha256', Buffer.alloc(32, 1)).update(
      `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`
    )
    expect(headers['webhook-signature']).toBe(`v1,${signed.digest('base64')}`)
    const { type, data } = JSON.parse(body) as { type: string; data: object }
    expect(type).toBe('job.succeeded')
    expect(data).toEqual((await servers[0]!.inject({ url: `/v1/jobs/${id}` })).json())
    // Nothing of the secret is in the queue.
    expect(await inside.everything()).not.toContain(SECRET.slice('whsec_'.length))
  })

  test('tell of jobs that were cancelled, and that failed, too', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 2 } })
    const server = await fleet.server(options)
    const [failing, unwanted] = [await submit(server), await submit(server)]
    await eventually(() => backend.runs.length === 2)
    await server.inject({ method: 'DELETE', url: `/v1/jobs/${unwanted}` })
    await eventually(() => received.length === 1)
    for (const run of backend.runs) run.fail(new Error('x'))
    await eventually(() => received.length === 2)
    const ids = received.map(({ headers }) => headers['webhook-id'])
    expect(ids).toEqual([
      expect.stringMatching(messageId(unwanted, 'cancelled')),
      expect.stringMatching(messageId(failing, 'failed'))
    ])
  })

  test('come back from a server that ends while it has them, as the same message', async () => {
    const id = await endedJob()
    // A server that is killed in the middle: it has the lease, and says nothing any more.
    const { due } = await queue.database.takeHooks({ leaseMs: 200, most: 16, mostOfHost: 4, held: new Map() })
    expect(due).toHaveLength(1)
    deliver()
    await eventually(async () => (await pending()) === 0)
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([expect.stringMatching(messageId(id, 'succeeded'))])
  })

  test('are sent again after failures, so often and no more, and the log says so', async () => {
    await endedJob()
    answer = reply => reply.writeHead(500).end()
    const { logged } = deliver({ retryMs: 0.1 })
    deliver({ retryMs: 0.1 }, logged)
    await eventually(async () => (await pending()) === 0)
    expect(received).toHaveLength(MOST_ATTEMPTS)
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(logged).toMatchObject([[{ attempts: MOST_ATTEMPTS, reason: 500 }, 'a webhook was not delivered']])
  })

  test('are given back by a server that ends while the receiver is silent', async () => {
    await endedJob()
    answer = () => {}
    const first = deliver({ attemptMs: 60_000 })
    await eventually(() => received.length === 1)
    await first.deliveries.close()
    answer = reply => reply.writeHead(204).end()
    deliver({ attemptMs: 60_000 })
    await eventually(async () => (await pending()) === 0)
    expect(received).toHaveLength(2)
  })

  test('go nowhere that the list of the server that sends them does not have', async () => {
    await endedJob()
    const { logged } = deliver({ allow: new AllowList(['https://hooks.example.com']), retryMs: 0.1 })
    await eventually(async () => (await pending()) === 0)
    expect(received).toEqual([])
    expect(logged).toMatchObject([[{ reason: 'not in the list' }, 'a webhook was not delivered']])
  })

  test('are bounded in number', async () => {
    await inside.fillHooks(10_000)
    const { backend } = await fleet.worker()
    backend.automatic = true
    const server = await fleet.server(options)
    const id = await submit(server)
    await eventually(async () => (await server.inject({ url: `/v1/jobs/${id}` })).json().status === 'succeeded')
    expect([await pending(), received]).toEqual([10_000, []])
  })

  test('of others go on while one receiver is silent', async () => {
    const { backend } = await fleet.worker()
    backend.automatic = true
    const silent = serveHttp(() => {})
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    options = { ...options, webhookAllow: [...options.webhookAllow, `http://127.0.0.1:${port}`] }
    const server = await fleet.server(options)
    for (let count = 0; count < 20; count++) await submit(server, `http://127.0.0.1:${port}/`)
    await eventually(async () => (await pending()) === 20)
    await submit(server)
    await eventually(() => received.length === 1)
    expect(await inside.hooks(`127.0.0.1:${port}`)).toBe(20)
    silent.closeAllConnections()
    silent.close()
  })
})
