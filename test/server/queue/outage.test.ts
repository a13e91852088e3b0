import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { outageOf } from '../../../lib/server/queue/reach.js'
import { json } from '../fake-backend.js'
import { describeWithRedis } from '../../support/redis.js'
import { eventually, Fleet } from './fleet.js'

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

describe('what is an outage of the queue', () => {
  // The texts are those of Redis 6.2 and 7.0.
  test.each([
    ['OOM', "OOM command not allowed when used memory > 'maxmemory'."],
    ['OOM', "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:1."],
    [
      'OOM',
      'ERR Error running script (call to f_1f): @user_script:9: @user_script: 9: -OOM command not allowed when used memory'
    ],
    ['MISCONF', 'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.'],
    [
      'MISCONF',
      'ERR Error running script (call to f_1f): @user_script:9: @user_script: 9: -MISCONF Errors writing to the AOF file'
    ],
    ['READONLY', "READONLY You can't write against a read only replica."],
    ['LOADING', 'LOADING Redis is loading the dataset in memory'],
    ['BUSY', 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'],
    ['NOSCRIPT', 'NOSCRIPT No matching script. Please use EVAL.'],
    ['CLUSTERDOWN', 'CLUSTERDOWN The cluster is down'],
    ['MASTERDOWN', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."],
    ['NOAUTH', 'NOAUTH Authentication required.'],
    ['WRONGPASS', 'WRONGPASS invalid username-password pair or user is disabled.'],
    ['ERR', 'ERR max number of clients reached'],
    [undefined, 'ERR unknown command'],
    [undefined, 'ERR Error running script (call to f_1f): @user_script:9: attempt to index a nil value'],
    [undefined, 'WRONGTYPE Operation against a key holding the wrong kind of value']
  ])('a reply: %s', (word, message) => expect(outageOf(reply(message))).toBe(word))

  test.each([
    ['ECONNREFUSED', Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['no answer', new Error('Connection is closed.')],
    [undefined, Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write', path: '/results' })],
    [undefined, new WuerstchenError('NOT_FINITE', 'x', { subject: 'prior' })],
    [undefined, new TypeError('x')]
  ])('another error: %s', (word, error) => expect(outageOf(error)).toBe(word))
})

describeWithRedis('while the queue cannot do its work', () => {
  let fleet: Fleet
  let redis: Redis
  beforeEach(async () => {
    fleet = await Fleet.start()
    redis = new Redis(fleet.redis.url)
  })
  afterEach(async () => {
    redis.disconnect()
    await fleet.end()
  })

  const submit = async (server: FastifyInstance) => {
    const { statusCode, json: read } = await server.inject({ url: '/v1/jobs', ...REQUEST })
    expect(statusCode).toBe(202)
    return (read() as { id: string }).id
  }
  const REQUEST = json({ endpoint: '/v1/images/generations', body: { prompt: 'x' } })
  const statusOf = async (server: FastifyInstance, id: string) =>
    ((await server.inject({ url: `/v1/jobs/${id}` })).json() as { status?: string }).status
  const set = async (name: string, value: string) => redis.config('SET', name, value)

  /** How it begins and ends, by what Redis answers then. */
  const OUTAGES: Record<string, [begin: () => Promise<unknown>, end: () => Promise<unknown>]> = {
    OOM: [() => set('maxmemory', '1'), () => set('maxmemory', '0')],
    NOREPLICAS: [() => set('min-replicas-to-write', '1'), () => set('min-replicas-to-write', '0')],
    READONLY: [() => redis.replicaof('127.0.0.1', 1), () => redis.replicaof('NO', 'ONE')],
    MASTERDOWN: [
      async () => {
        await set('replica-serve-stale-data', 'no')
        await redis.replicaof('127.0.0.1', 1)
      },
      () => redis.replicaof('NO', 'ONE')
    ],
    NOPERM: [() => redis.acl('SETUSER', 'default', '-@scripting'), () => redis.acl('SETUSER', 'default', '+@all')],
    BUSY: [
      async () => {
        await set('busy-reply-threshold', '1')
        const busy = redis.duplicate()
        busy.eval('while true do end', 0).catch(() => busy.disconnect())
        await eventually(() =>
          redis.get('x').then(
            () => false,
            () => true
          )
        )
      },
      () => redis.script('KILL')
    ]
  }

  test.each(Object.keys(OUTAGES))('what a worker has made is kept, and its log says it once: %s', async word => {
    const lines: { msg: string; reason?: string }[] = []
    const stream = { write: (line: string) => lines.push(JSON.parse(line) as { msg: string }) }
    const { backend } = await fleet.worker({}, { level: 'info', stream })
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const [begin, end] = OUTAGES[word]!
    await begin()
    backend.runs[0]!.finish()
    const said = () => lines.filter(({ msg }) => msg.startsWith('the queue is away'))
    await eventually(() => said().length === 1)
    // Several tries later.
    await new Promise(resolve => setTimeout(resolve, 500))
    await end()
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(said()).toMatchObject([{ reason: word }])
    expect(lines.filter(({ msg }) => msg === 'the queue is back')).toHaveLength(1)
    expect(lines.filter(({ msg }) => msg === 'work failed')).toEqual([])
  })

  test('what needs memory is done as a whole or not at all', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const server = await fleet.server()
    const running = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const [first, second] = [await submit(server), await submit(server)]
    await set('maxmemory', '1')
    const refused = await server.inject({ method: 'DELETE', url: `/v1/jobs/${second}` })
    expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'queue_unreachable'])
    await set('maxmemory', '0')
    backend.automatic = true
    backend.runs[0]!.finish()
    for (const id of [running, first, second]) await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(await server.wuerstchen.jobs.stats()).toMatchObject({ queued: 0, running: 0, inputBytes: 0 })
  })

  test('a job that loses its ticket again and again, with workers that are there, is done', async () => {
    const workers = [
      await fleet.worker({ limits: { maxRunningImages: 1 } }),
      await fleet.worker({ limits: { maxRunningImages: 1 } })
    ]
    const runs = () => workers.flatMap(({ backend }) => backend.runs)
    const server = await fleet.server()
    const id = await submit(server)
    for (let times = 1; times <= 4; times++) {
      await eventually(() => runs().length >= times)
      for (const key of await redis.keys('{wuerstchen}:model-tiny:*:lock')) await redis.del(key)
    }
    await eventually(() => runs().length >= 5)
    for (const { backend } of workers) {
      backend.automatic = true
      for (const run of backend.runs) run.finish()
    }
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
  })

  test('a job that loses its ticket and is done before another worker begins has its result', async () => {
    const { backend } = await fleet.worker({ limits: { maxRunningImages: 1 } })
    const server = await fleet.server()
    const id = await submit(server)
    await eventually(() => backend.runs.length === 1)
    const [lock] = await redis.keys('{wuerstchen}:model-tiny:*:lock')
    await redis.del(lock!)
    const waiting = async () => (await redis.llen('{wuerstchen}:model-tiny:wait')) === 1
    // A full worker leaves the ticket to others.
    await eventually(waiting)
    backend.runs[0]!.finish()
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(backend.runs).toHaveLength(1)
  })
})
