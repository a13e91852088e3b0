import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Link } from '../../support/link.js'
import { describeOnQueues, describeWithRedis, lookInside, RedisServer } from '../../support/queues.js'
import { json } from '../fake-backend.js'
import { eventually, Fleet } from './fleet.js'

const REQUEST = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
const submit = async (server: FastifyInstance) => server.inject({ url: '/v1/jobs', ...REQUEST })
const idOf = ({ json: read }: Awaited<ReturnType<typeof submit>>) => (read() as { id: string }).id
const isDone = async (server: FastifyInstance, id: string) =>
  ((await server.inject({ url: `/v1/jobs/${id}` })).json() as { status?: string }).status === 'succeeded'

/** Whether a job can be done again, from the request to its end. */
async function works(server: FastifyInstance): Promise<boolean> {
  const reply = await submit(server)
  if (reply.statusCode !== 202) return false
  await eventually(() => isDone(server, idOf(reply)))
  return true
}

describeOnQueues('a queue behind a network', kind => {
  let fleet: Fleet
  let link: Link
  let server: FastifyInstance
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
    const { url, ...rest } = await Link.to(fleet.queue.url)
    link = rest.link
    const { backend } = await fleet.worker({ queue: url })
    backend.automatic = true
    server = await fleet.server({ queue: url })
  })
  afterEach(async () => {
    await fleet.end()
    link.close()
  })

  // Whose machine is gone says nothing, and TCP asks it for a quarter of an hour.
  test('that has forgotten its connections is reached on new ones', async () => {
    expect(await works(server)).toBe(true)
    link.forget()
    const began = performance.now()
    await eventually(() => works(server))
    expect(performance.now() - began).toBeLessThan(40_000)
  })

  test('gives a result that takes longer than an answer may, and answers others meanwhile', async () => {
    const id = idOf(await submit(server))
    await eventually(() => isDone(server, id))
    const inside = lookInside(kind, fleet.queue.url)
    const bytes = Buffer.alloc(6_000_000, 7)
    await inside.fillFiles(bytes)
    await inside.end()
    link.rate = 3_000_000
    const result = server.inject({ url: `/v1/jobs/${id}/result` })
    await new Promise(resolve => setTimeout(resolve, 300))
    expect((await submit(server)).statusCode).toBe(202)
    const { statusCode, json: read } = await result
    expect(statusCode).toBe(200)
    expect((read() as { data: { b64_json: string }[] }).data[0]!.b64_json).toBe(bytes.toString('base64'))
  })
})

describeWithRedis('a Redis', () => {
  // An address of a cloud's goes to another machine then, and connections stay where they were.
  test('that has become a replica is left for the one that its address goes to', async () => {
    const fleet = await Fleet.start('redis')
    const other = await RedisServer.start()
    const { link, url } = await Link.to(fleet.queue.url)
    const [redis, next] = [fleet.queue.url, other.url].map(each => new Redis(each)) as [Redis, Redis]
    try {
      const { backend } = await fleet.worker({ queue: url })
      backend.automatic = true
      const server = await fleet.server({ queue: url })
      expect(await works(server)).toBe(true)
      link.target = other.port
      await redis.replicaof('127.0.0.1', other.port)
      const began = performance.now()
      await eventually(() => works(server))
      expect(performance.now() - began).toBeLessThan(20_000)
      expect(await next.exists('{wuerstchen}:runs')).toBe(1)
    } finally {
      for (const each of [redis, next]) each.disconnect()
      await fleet.end()
      await other.stop()
      link.close()
    }
  })
})
