import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deadLetters, sendAgain } from '../../../lib/server/queue/dead-letters.js'
import { json } from '../fake-backend.js'
import { describeOnQueues, startQueue, type QueueServer } from '../../support/queues.js'
import { eventually, QUICK } from './fleet.js'
import type { HostOptions } from '../../../bench/scale/host.mjs'
import { HostProcess } from './processes.js'

describeOnQueues('a queue whose processes are killed', kind => {
  let queue: QueueServer
  const hosts: HostProcess[] = []
  beforeEach(async () => {
    queue = await startQueue(kind, { fsync: 'always' })
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(host => (host.signal('SIGCONT'), host.kill())))
    await queue.stop()
  })

  const start = async (role: HostOptions['role'], options: Partial<HostOptions> = {}) => {
    const host = await HostProcess.start({ role, queue: queue.url, ...options })
    hosts.push(host)
    return host
  }
  const post = async ({ address }: HostProcess, prompt: string, headers = {}) => {
    const { payload, headers: own } = json({ endpoint: '/v1/images/generations', body: { prompt } })
    return fetch(`${address}/v1/jobs`, { method: 'POST', body: JSON.stringify(payload), headers: { ...own, ...headers } })
  }
  /** Once there is a worker for it. */
  const submit = async (server: HostProcess, prompt: string, headers = {}): Promise<string> => {
    for (;;) {
      const reply = await post(server, prompt, headers)
      if (reply.status === 202) return ((await reply.json()) as { id: string }).id
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  const get = async ({ address }: HostProcess, path: string) => (await fetch(`${address}${path}`)).json()
  const statusOf = async (server: HostProcess, id: string) =>
    ((await get(server, `/v1/jobs/${id}`)) as { status?: string }).status

  test('work of a worker that is killed is done by another one, with the same seed', async () => {
    const server = await start('server')
    const first = await start('worker', { steps: 1_000_000, times: QUICK })
    const id = await submit(server, 'a')
    await eventually(() => first.prompts('started').length === 1)
    const second = await start('worker', { times: QUICK })
    await first.kill()
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(second.prompts('started')).toContain('a')
    const { data } = (await get(server, `/v1/jobs/${id}/result`)) as { data: { b64_json: string; seed: number }[] }
    expect(Buffer.from(data[0]!.b64_json, 'base64').toString()).toBe(`picture of a with ${data[0]!.seed}`)
  })

  test('work that kills its workers fails after the second one, and other work does not', async () => {
    const server = await start('server')
    const [first, second] = [await start('worker', { times: QUICK }), await start('worker', { times: QUICK })]
    const poison = await submit(server, 'poison')
    await Promise.all([first.ended, second.ended])
    const last = await start('worker', { times: QUICK })
    const sound = await submit(server, 'sound')
    await eventually(async () => (await statusOf(server, poison)) === 'failed')
    await eventually(async () => (await statusOf(server, sound)) === 'succeeded')
    expect(last.prompts('started')).not.toContain('poison')
    const { error } = (await get(server, `/v1/jobs/${poison}`)) as { error: { code: string } }
    expect(error.code).toBe('internal')
    expect(last.alive).toBe(true)
    // It can be looked at, and done again.
    expect(await deadLetters(queue.url)).toMatchObject([
      { id: poison, owner: 'anybody', model: 'tiny', error: { code: 'INTERNAL', subject: 'worker' } }
    ])
    expect(await sendAgain(queue.url, poison)).toBe(true)
    expect(await sendAgain(queue.url, poison)).toBe(false)
    await last.ended
    expect(last.prompts('started').at(-1)).toBe('poison')
    expect(await deadLetters(queue.url)).toEqual([])
  })

  test('a job belongs to no server: another one knows it when the first is killed', async () => {
    const [first, second] = [await start('server'), await start('server')]
    const worker = await start('worker', { steps: 50 })
    const key = { 'idempotency-key': 'same' }
    const id = await submit(first, 'a', key)
    await eventually(() => worker.prompts('started').length === 1)
    await first.kill()
    expect(await submit(second, 'a', key)).toBe(id)
    const conflict = await post(second, 'b', key)
    expect([conflict.status, ((await conflict.json()) as { error: { code: string } }).error.code]).toEqual([
      409,
      'idempotency_key_reused'
    ])
    await eventually(async () => (await statusOf(second, id)) === 'succeeded')
    expect(worker.prompts('started')).toEqual(['a'])
  })

  test('a worker that is stopped for longer than its lock does no harm when it goes on', async () => {
    const server = await start('server')
    const slow = await start('worker', { steps: 400, times: QUICK })
    const id = await submit(server, 'a')
    await eventually(() => slow.prompts('started').length === 1)
    slow.signal('SIGSTOP')
    const quick = await start('worker', { times: QUICK })
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    const result = await get(server, `/v1/jobs/${id}/result`)
    slow.signal('SIGCONT')
    await eventually(() => slow.prompts('stopped').length === 1)
    expect(await get(server, `/v1/jobs/${id}/result`)).toEqual(result)
    expect(quick.prompts('started')).toContain('a')
    // Both go on taking work.
    const more = await Promise.all(['b', 'c', 'd'].map(prompt => submit(server, prompt)))
    for (const each of more) await eventually(async () => (await statusOf(server, each)) === 'succeeded')
  })

  test('a queue that is killed and comes back has lost nothing that was accepted', async () => {
    const server = await start('server')
    const workers = [await start('worker'), await start('worker')]
    const accepted: string[] = []
    for (let index = 0; index < 20; index++) accepted.push(await submit(server, `before ${index}`))
    await queue.kill()
    // At once, and not when the queue is there again: that is up to this test.
    const refused = await post(server, 'meanwhile')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    await queue.start()
    await eventually(async () => (await post(server, 'after')).status === 202)
    for (const id of accepted) await eventually(async () => (await statusOf(server, id)) === 'succeeded')
    expect(workers.every(({ alive }) => alive)).toBe(true)
  })

  test('every worker is replaced under load, and nothing fails', async () => {
    const server = await start('server')
    const old = [await start('worker', { steps: 20 }), await start('worker', { steps: 20 })]
    const ids = await Promise.all(Array.from({ length: 40 }, (_, index) => submit(server, `picture ${index}`)))
    for (const worker of old) {
      await start('worker', { steps: 20 })
      worker.signal('SIGTERM')
      await worker.ended
    }
    for (const id of ids) await eventually(async () => ['succeeded', 'failed'].includes((await statusOf(server, id)) ?? ''))
    const states = await Promise.all(ids.map(id => statusOf(server, id)))
    expect(new Set(states)).toEqual(new Set(['succeeded']))
    const started = hosts.flatMap(host => host.prompts('started'))
    // What an old worker had, it ended itself.
    expect(started).toHaveLength(40)
  })

  test('a worker that is told to end gives back what it cannot finish', async () => {
    const server = await start('server')
    // More than a test has time for: nobody ends it but who has the last turn.
    const endless = { steps: 1_000_000, graceSeconds: 0 }
    const first = await start('worker', endless)
    const id = await submit(server, 'a')
    await eventually(() => first.prompts('started').length === 1)
    // More of them than may end without a word.
    for (let worker = first, times = 0; times < 3; times++) {
      const next = await start('worker', times < 2 ? endless : {})
      worker.signal('SIGTERM')
      await worker.ended
      await eventually(() => next.prompts('started').length === 1)
      worker = next
    }
    await eventually(async () => (await statusOf(server, id)) === 'succeeded')
  })

  test('a worker that is told to end while its queue is away does not wait for it', async () => {
    const server = await start('server')
    const worker = await start('worker', { steps: 1_000_000, graceSeconds: 1 })
    const idle = await start('worker', { graceSeconds: 1 })
    await submit(server, 'a')
    await eventually(() => [worker, idle].some(each => each.prompts('started').length === 1))
    await queue.kill()
    for (const each of [worker, idle]) {
      each.signal('SIGTERM')
      await each.ended
    }
  })

  test('a worker that is told to end lets what runs end', async () => {
    const server = await start('server')
    const first = await start('worker', { steps: 50 })
    const id = await submit(server, 'a')
    await eventually(() => first.prompts('started').length === 1)
    first.signal('SIGTERM')
    await first.ended
    expect(await statusOf(server, id)).toBe('succeeded')
  })

  describe('once and for some jobs', () => {
    test('a worker ends when there is nothing to do, or after its jobs', async () => {
      const server = await start('server')
      const worker = await start('worker')
      await worker.kill()
      const once = await start('worker', { once: true })
      await once.ended
      const three = start('worker', { maxJobs: 2, limits: { maxRunningImages: 1 } })
      const limited = await three
      const ids = await Promise.all(['a', 'b', 'c'].map(prompt => submit(server, prompt)))
      await limited.ended
      const states = await Promise.all(ids.map(id => statusOf(server, id)))
      expect(states.sort()).toEqual(['queued', 'succeeded', 'succeeded'])
    })
  })
})
