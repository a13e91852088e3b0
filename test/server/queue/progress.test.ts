import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { json } from '../fake-backend.js'
import { describeOnQueues, describeWithRedis } from '../../support/queues.js'
import { eventually, Fleet } from './fleet.js'

interface Place {
  stage: string
  step: number
}

describeOnQueues('progress', kind => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = await Fleet.start(kind)
  })
  afterEach(() => fleet.end())

  test('a stream sees steps that only grow, each once, and the last one', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const stream = server.inject({ url: `/v1/jobs/${id}/events` })
    const run = backend.runs[0]!
    for (const stage of ['prior', 'decoder'] as const)
      for (let step = 1; step <= 30; step++) {
        run.emit({ type: 'step', image: 0, stage, step, steps: 30 })
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    run.finish()
    const { body } = await stream
    const place = ({ stage, step }: Place) => (stage === 'prior' ? 0 : 30) + step
    const events = [...body.matchAll(/^event: job\.(\w+)\ndata: (.*)$/gm)].map(([, type, data]) => ({
      type,
      data: JSON.parse(data!) as Place & { progress?: (Place | null)[] }
    }))
    const steps = events.flatMap(({ type, data }) => (type === 'progress' ? [place(data)] : []))
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b))
    // A look at the record may be quicker than a message.
    const known = events.map(({ data }) => place(data.progress?.[0] ?? data)).filter(each => each > 0)
    expect(Math.max(...known)).toBe(60)
    const { progress } = (await server.inject({ url: `/v1/jobs/${id}` })).json() as { progress: object[] }
    expect(progress).toEqual([{ stage: 'decoder', step: 30, steps: 30 }])
  })
})

describeWithRedis('progress whose messages are lost or doubled', () => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = await Fleet.start('redis')
  })
  afterEach(() => fleet.end())

  test('a step that is said twice, since a connection was cut, is told once', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const address = await server.listen({ port: 0, host: '127.0.0.1' })
    const stream = (await fetch(`${address}/v1/jobs/${id}/events`)).body!.pipeThrough(new TextDecoderStream()).getReader()
    let body = ''
    while (!body.includes('job.status')) body += (await stream.read()).value ?? ''
    const redis = new Redis(fleet.queue.url)
    const key = `{wuerstchen}:job:${id}`
    const say = async (step: number) => {
      const seq = await redis.hincrby(key, 'seq', 1)
      const message = JSON.stringify({ type: 'step', image: 0, stage: 'prior', step, steps: 9 })
      await redis.publish(`{wuerstchen}:news:${id}`, `${seq} step ${message}`)
    }
    for (const step of [1, 2, 2, 3, 2, 4]) {
      await say(step)
      // Whoever reads slowly is not told all of them.
      while (!body.includes(`"step":${step}`)) body += (await stream.read()).value ?? ''
    }
    redis.disconnect()
    backend.runs[0]!.finish()
    for (let part = await stream.read(); !part.done; part = await stream.read()) body += part.value
    expect([...body.matchAll(/"step":(\d)/g)].map(([, step]) => Number(step)).filter(step => step > 0)).toEqual([1, 2, 3, 4])
  })

  test('a cancel whose message is lost stops the worker with its next report', async () => {
    const { backend } = await fleet.worker()
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const run = backend.runs[0]!
    run.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 9 })
    // What a cancel writes, without what it says.
    const redis = new Redis(fleet.queue.url)
    await redis.hset(`{wuerstchen}:job:${id}`, 'state', 'cancelled')
    redis.disconnect()
    // Right after the first one, and nothing follows: it is held back, and told all the same.
    run.emit({ type: 'step', image: 0, stage: 'prior', step: 2, steps: 9 })
    await eventually(() => run.signal.aborted)
  })
})

async function submit(server: Awaited<ReturnType<Fleet['server']>>): Promise<string> {
  const request = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
  const reply = await server.inject({ url: '/v1/jobs', ...request })
  expect(reply.statusCode).toBe(202)
  return (reply.json() as { id: string }).id
}
