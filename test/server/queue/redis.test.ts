import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { openQueue, type Queue } from '../../../lib/server/queue/queue.js'
import { describeWithRedis, RedisServer } from '../../support/queues.js'
import { newJob } from './new-job.js'

describeWithRedis('a queue in Redis', () => {
  let server: RedisServer | undefined
  afterEach(() => server?.stop())
  const start = async (...args: string[]) => (server = await RedisServer.start({ args }))
  const open = (url: string, kind: 'prompt' | 'patient' = 'patient'): Promise<Queue> =>
    openQueue(queueAddress(url), 'queue', kind)
  const refused = (url: string, kind: 'prompt' | 'patient', text: string) =>
    expect(open(url, kind)).rejects.toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', subject: 'queue' },
      message: expect.stringContaining(text)
    })

  test.each(['prompt', 'patient'] as const)('is never in another database than its own (%s)', async kind => {
    const { url } = await start('--databases', '4')
    await refused(`${url}/7`, kind, 'DB index is out of range')
    const redis = new Redis(url)
    expect(await redis.dbsize()).toBe(0)
    redis.disconnect()
  })

  test('is not in the first database where it may not choose its own', async () => {
    const { url } = await start(...'--user default on nopass ~* &* +@all -select'.split(' '))
    await refused(`${url}/3`, 'prompt', 'NOPERM')
  })

  test.each(['prompt', 'patient'] as const)('is not where keys are thrown away (%s)', async kind => {
    const { url } = await start('--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru')
    await refused(url, kind, 'volatile-lru')
  })

  test('can be where no memory is ever short, whatever would be thrown away, and where nobody may ask', async () => {
    const { url } = await start('--maxmemory-policy', 'allkeys-lru', '--rename-command', 'CONFIG', '')
    await (await open(url)).close()
  })

  test('is not in a part of a cluster', async () => {
    const { url } = await start('--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf')
    const redis = new Redis(url)
    // All but the slot of the queue, which another node has.
    const slot = await redis.cluster('KEYSLOT', '{wuerstchen}:')
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, slot - 1, slot + 1, 16_383)
    await redis.config('SET', 'cluster-require-full-coverage', 'no')
    redis.disconnect()
    await expect(open(url, 'prompt')).rejects.toMatchObject({
      code: 'TIMEOUT',
      cause: { message: expect.stringContaining('CLUSTERDOWN') }
    })
  })

  test('does not count inputs of jobs whose records have ended while nobody swept', async () => {
    const { url } = await start()
    const queue = await open(url)
    const redis = new Redis(url)
    const limits = { maxQueued: 9, maxQueuedPerKey: 9, maxHeldBytes: 100, maxHeldBytesPerKey: 50 }
    const accept = async (id: string, timeoutMs: number) =>
      queue.database.accept(newJob(id, { timeoutMs, keptMs: 1, inputBytes: 25 }), limits)
    expect([await accept('a', 1), await accept('b', 60_000), await accept('c', 60_000)]).toEqual([
      'accepted',
      'accepted',
      'maxHeldBytesPerKey'
    ])
    await redis.del('{wuerstchen}:job:a')
    await new Promise(resolve => setTimeout(resolve, 5))
    await queue.database.sweep(undefined)
    expect(await queue.database.stats()).toMatchObject({ inputBytes: 25 })
    expect([await accept('c', 60_000), await accept('d', 60_000)]).toEqual(['accepted', 'maxHeldBytesPerKey'])
    redis.disconnect()
    await queue.close()
  })

  test('hears nothing of one in another database of the same Redis', async () => {
    const { url } = await start()
    const [own, other] = await Promise.all([open(url), open(`${url}/1`)])
    const heard: string[] = []
    for (const [name, queue] of [
      ['own', own],
      ['other', other]
    ] as const)
      await queue.news.hear('stop', text => heard.push(`${name} ${text}`)).begun
    await other.database.tell('stop', 'a')
    await own.database.tell('stop', 'b')
    await other.database.tell('stop', 'c')
    await expect.poll(() => heard.length).toBe(3)
    expect(heard.toSorted()).toEqual(['other a', 'other c', 'own b'])
    await Promise.all([own.close(), other.close()])
  })
})
