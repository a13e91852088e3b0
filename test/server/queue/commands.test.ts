import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeWithRedis } from '../../support/queues.js'
import { json } from '../fake-backend.js'
import { eventually, Fleet } from './fleet.js'

describeWithRedis('what a job costs the queue', () => {
  let fleet: Fleet
  let redis: Redis
  beforeEach(async () => {
    fleet = await Fleet.start('redis')
    redis = new Redis(fleet.queue.url)
  })
  afterEach(async () => {
    redis.disconnect()
    await fleet.end()
  })

  const submit = async (server: FastifyInstance) => {
    const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
    const reply = await server.inject({ url: '/v1/jobs', ...request })
    expect(reply.statusCode).toBe(202)
    return (reply.json() as { id: string }).id
  }

  test('whoever waits for images is not told where they are in line, however many wait', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const server = await fleet.server()
    const monitor = await redis.monitor()
    const heard: string[][] = []
    monitor.on('monitor', (_, command: string[]) => heard.push(command))
    // LRANGE is the only command that reads what waits. Workers ask in the same way, now and then, for what runs.
    const looks = async () => {
      const mark = String(heard.length)
      await redis.echo(mark)
      await eventually(() => heard.some(([name, text]) => name === 'echo' && text === mark))
      return heard.filter(([name, key]) => name?.toLowerCase() === 'lrange' && !key!.endsWith(':active')).length
    }
    for (let index = 0; index < 5; index++) await submit(server)
    await eventually(() => backend.runs.length === 1)
    const before = await looks()
    expect(before).toBe(5)
    const reply = server.inject({ url: '/v1/images/generations', ...json({ prompt: 'waited for' }) })
    const waiting = () => redis.zcard('{wuerstchen}:queued')
    await eventually(async () => (await waiting()) === 5)
    backend.automatic = true
    backend.runs[0]!.finish()
    expect((await reply).statusCode).toBe(200)
    expect(await looks()).toBe(before)
    monitor.disconnect()
  })

  test('only a run that somebody else ends is told to all workers', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const listener = redis.duplicate()
    const told: string[] = []
    listener.on('message', (_, text: string) => told.push(text))
    await listener.subscribe('{wuerstchen}:stop')
    const [done, failed, cancelled] = [await submit(server), await submit(server), await submit(server)]
    await eventually(() => backend.runs.length === 3)
    const stateOf = async (id: string) => ((await server.inject({ url: `/v1/jobs/${id}` })).json() as { status: string }).status
    backend.runs[0]!.finish()
    backend.runs[1]!.fail(new Error('broken'))
    await eventually(async () => (await stateOf(done)) === 'succeeded' && (await stateOf(failed)) === 'failed')
    await server.inject({ method: 'DELETE', url: `/v1/jobs/${cancelled}` })
    await eventually(() => told.length > 0)
    listener.disconnect()
    // The three were taken side by side: which number its run has depends on which was first.
    expect(told).toEqual([expect.stringMatching(new RegExp(`^${cancelled} [123]$`))])
  })
})
