import { afterEach, beforeEach, expect, test } from 'vitest'
import { FairQueue } from '../../../lib/server/jobs/fair-queue.js'
import { queueAddress } from '../../../lib/server/queue/address.js'
import { openQueue, type Queue } from '../../../lib/server/queue/queue.js'
import { FORGOTTEN_MS, type Bounds, type QueueDatabase } from '../../../lib/server/queue/queue-database.js'
import { describeOnQueues, lookInside, startQueue, type QueueServer } from '../../support/queues.js'
import { eventually } from './fleet.js'
import { newJob as job } from './new-job.js'

const BOUNDS: Bounds = { maxQueued: 1000, maxQueuedPerKey: 1000, maxHeldBytes: Infinity, maxHeldBytesPerKey: Infinity }

/** The same numbers each time: a linear congruential generator. */
function generator(): (below: number) => number {
  let state = 1
  return below => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

describeOnQueues('the steps of a queue', kind => {
  let server: QueueServer
  let queue: Queue
  let database: QueueDatabase
  beforeEach(async () => {
    server = await startQueue(kind)
    queue = await openQueue(queueAddress(server.url), 'queue', 'patient')
    database = queue.database
  })
  afterEach(async () => {
    await queue.close()
    await server.stop()
  })

  const claim = (ticket: string, more = {}) => database.claim({ model: 'm', ticket, worker: 'w', room: 4, idle: true, ...more })
  const idOf = (claimed: Awaited<ReturnType<typeof claim>>) => (typeof claimed === 'string' ? claimed : claimed.record.view.id)
  const ending = { state: 'succeeded', error: '', result: '{}', bytes: 5, again: false, parts: [] } as const

  test('jobs are taken in the order of FairQueue, whatever comes in between', async () => {
    const random = generator()
    const own = new Map<string, FairQueue<{ id: string; owner: string; priority: number; cost: number }>>()
    const waiting = new Map<string, { id: string; owner: string; priority: number; cost: number }>()
    for (let number = 0; number < 150; number++) {
      const what = random(10)
      if (what < 6) {
        // One owner has many, so that somebody is overtaken as often as may be.
        const [owner, priority, cost] = [['ann', 'ann', 'bob', 'eve'][random(4)]!, random(4), 0.1 + random(1000) / 500]
        const item = { id: `job-${number}`, owner, priority, cost }
        expect(await database.accept(job(item.id, { owner, priority, cost }), BOUNDS)).toBe('accepted')
        if (!own.has(owner)) own.set(owner, new FairQueue())
        own.get(owner)!.push(item)
        waiting.set(item.id, item)
      } else if (what < 8 && waiting.size > 0) {
        const item = [...waiting.values()][random(waiting.size)]!
        await database.giveUp(item.id, { state: 'cancelled', error: '{}', again: false })
        own.get(item.owner)!.remove(item)
        waiting.delete(item.id)
      } else {
        const lanes = await database.lanes('m', 1000)
        const least = Math.min(...lanes.map(({ pass }) => pass))
        const first = lanes.filter(({ pass }) => pass === least).map(({ items }) => items[0]!.id)
        const id = idOf(await claim(`ticket-${number}`))
        if (first.length === 0) expect(id).toBe('nothing')
        else {
          expect(first).toContain(id)
          own.get(waiting.get(id)!.owner)!.remove(waiting.get(id)!)
          waiting.delete(id)
        }
      }
      const lanes = await database.lanes('m', 1000)
      const expected = [...own.values()].map(lane => [...lane.order()].map(({ id }) => id)).filter(({ length }) => length > 0)
      expect(lanes.map(({ items }) => items.map(({ id }) => id)).sort()).toEqual(expected.sort())
    }
  })

  test('an owner pays for what it took, and one that comes later does not catch up', async () => {
    for (const id of ['a1', 'a2', 'a3']) await database.accept(job(id, { cost: 10 }), BOUNDS)
    await database.accept(job('b1', { owner: 'bob', cost: 1 }), BOUNDS)
    expect([idOf(await claim('1')), idOf(await claim('2'))]).toEqual(['a1', 'b1'])
    await database.accept(job('b2', { owner: 'bob', cost: 1 }), BOUNDS)
    expect([idOf(await claim('3')), idOf(await claim('4'))]).toEqual(['b2', 'a2'])
    // The clock is at 10: whoever comes has missed nothing that it could ask for.
    for (const id of ['e1', 'e2']) await database.accept(job(id, { owner: 'eve', cost: 100 }), BOUNDS)
    expect([idOf(await claim('5')), idOf(await claim('6'))]).toEqual(['e1', 'a3'])
  })

  test('what many ask for at once is given to one', async () => {
    for (let index = 0; index < 40; index++) await database.accept(job(`job-${index}`), BOUNDS)
    const claimed = await Promise.all(Array.from({ length: 60 }, (_, index) => claim(`ticket-${index}`)))
    const ids = claimed.map(idOf).filter(id => id !== 'nothing')
    expect([ids.length, new Set(ids).size]).toEqual([40, 40])
  })

  test('limits hold when many come at once', async () => {
    const asked = (bounds: Partial<Bounds>, from: string) =>
      Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          database.accept(job(`${from}${index}`, { owner: from }), { ...BOUNDS, ...bounds })
        )
      )
    const counted = (all: string[]) =>
      Object.fromEntries([...new Set(all)].sort().map(each => [each, all.filter(x => x === each).length]))
    expect(counted(await asked({ maxQueuedPerKey: 3 }, 'a'))).toEqual({ accepted: 3, maxQueuedPerKey: 17 })
    expect(counted(await asked({ maxHeldBytesPerKey: 45 }, 'b'))).toEqual({ accepted: 4, maxHeldBytesPerKey: 16 })
    expect(counted(await asked({ maxHeldBytes: 100 }, 'c'))).toEqual({ accepted: 3, maxHeldBytes: 17 })
    expect(counted(await asked({ maxQueued: 12 }, 'd'))).toEqual({ accepted: 2, maxQueued: 18 })
    expect(await database.stats()).toMatchObject({ queued: 12, inputBytes: 120 })
  })

  test('a run is told of by its number alone, and has one end', async () => {
    await database.accept(job('a'), BOUNDS)
    const first = await claim('t')
    if (typeof first === 'string') throw new Error(first)
    const again = await claim('t')
    if (typeof again === 'string') throw new Error(again)
    expect([first.run, again.run, again.work]).toEqual(['1', '2', '{"kind":"generate"}'])
    const report = { steps: [{ image: 0, stage: 'prior', step: 1, steps: 2 } as const], messages: [] }
    expect([await database.report('a', '1', report), await database.report('a', '2', report)]).toEqual([false, true])
    expect([await database.settle('a', '1', ending), await database.settle('a', '2', ending)]).toEqual(['unseen', 'seen'])
    // Of an answer that was lost, the same one is given again; nobody else's end counts.
    expect([await database.settle('a', '2', ending), await database.report('a', '2', report)]).toEqual(['seen', false])
    await database.giveUp('a', { state: 'cancelled', error: '{}', again: false })
    expect((await database.record('a'))!.view).toMatchObject({ state: 'succeeded', progress: [{ step: 1 }] })
    expect([await claim('t'), await claim('t')]).toEqual(['nothing', 'nothing'])
  })

  test('a run of a job has no say in the one that is accepted anew with its id', async () => {
    const runs: string[] = []
    for (const again of [true, false]) {
      await database.accept(job('a'), BOUNDS)
      const claimed = await claim(`ticket ${again}`)
      if (typeof claimed === 'string') throw new Error(claimed)
      runs.push(claimed.run)
      if (again) await database.giveUp('a', { state: 'failed', error: '{}', again })
    }
    const [old, own] = runs as [string, string]
    const report = { steps: [], messages: [] }
    expect([await database.report('a', old, report), await database.report('a', own, report)]).toEqual([false, true])
    expect([await database.settle('a', old, ending), await database.settle('a', own, ending)]).toEqual(['unseen', 'seen'])
  })

  test('too large a job waits for a worker that has room', async () => {
    await database.accept(job('large', { images: 4 }), BOUNDS)
    expect(await claim('t', { room: 3, idle: false })).toBe('wait')
    expect(idOf(await claim('t', { room: 4, idle: false }))).toBe('large')
    await database.release('large', '1')
    expect(await claim('t', { room: 3, idle: false })).toBe('wait')
    expect(idOf(await claim('t', { room: 0, idle: true }))).toBe('large')
  })

  test('messages arrive in their order, also those that are long', async () => {
    await database.accept(job('a'), BOUNDS)
    await claim('t')
    const heard: [number, string, string][] = []
    await queue.news.follow(
      'a',
      ({ seq, kind: what, contents }) => heard.push([seq, what, contents]),
      () => {}
    ).begun
    const long = `{"prompt":"${'ä\\u0000'.repeat(20_000)}"}`
    for (let round = 0; round < 5; round++) {
      const messages = [long, 'short', long].map(contents => ({ kind: 'file' as const, contents }))
      await database.report('a', '1', { steps: [], messages })
    }
    await eventually(() => heard.length === 15)
    expect(heard.map(([seq]) => seq)).toEqual(Array.from({ length: 15 }, (_, index) => index + 2))
    expect(new Set(heard.map(([, what, contents]) => `${what} ${contents}`))).toEqual(new Set([`file ${long}`, 'file short']))
  })

  test('files end with what they belong to', async () => {
    const names = async (side: 'in' | 'out') =>
      [...(await database.parts.get('a', side, ['i', '1i0', '1v1', '2i0'])).keys()].sort()
    await database.parts.put('a', 'in', new Map([['i', Buffer.from('x')]]), 60_000)
    await database.accept(job('a'), BOUNDS)
    await claim('t')
    await claim('t')
    await database.parts.put('a', 'out', new Map(['1i0', '1v1', '2i0'].map(name => [name, Buffer.from(name)])), 60_000)
    expect([await names('in'), await names('out')]).toEqual([['i'], ['1i0', '1v1', '2i0']])
    // What the database has forgotten is not said to be there.
    expect(await database.settle('a', '2', { ...ending, parts: ['2i0', '2i1'] })).toBe('incomplete')
    expect(await database.settle('a', '2', { ...ending, parts: ['2i0'] })).toBe('seen')
    expect([await names('in'), await names('out')]).toEqual([[], ['2i0']])
    await database.sweep({ maxKeptJobs: 0, maxKeptBytes: 0 })
    expect([await names('out'), await database.record('a'), await database.isGone('a')]).toEqual([[], undefined, true])
  })

  test('the oldest results go first, by number and by bytes', async () => {
    for (const id of ['a', 'b', 'c', 'd']) {
      await database.accept(job(id), BOUNDS)
      const claimed = await claim(`ticket-${id}`)
      if (typeof claimed === 'string') throw new Error(claimed)
      await database.settle(id, claimed.run, ending)
      // Times are milliseconds.
      await new Promise(resolve => setTimeout(resolve, 3))
    }
    const kept = async () => {
      const page = await database.page({ limit: 10 })
      return typeof page === 'object' ? page.records.map(({ view }) => view.id) : page
    }
    await database.sweep({ maxKeptJobs: 3, maxKeptBytes: 1000 })
    expect(await kept()).toEqual(['d', 'c', 'b'])
    await database.sweep({ maxKeptJobs: 3, maxKeptBytes: 10 })
    expect(await kept()).toEqual(['d', 'c'])
    expect(await database.stats()).toMatchObject({ kept: 2, keptBytes: 10 })
    expect([await database.page({ limit: 1, after: 'a' }), await database.page({ limit: 1, after: 'x' })]).toEqual([
      'expired',
      undefined
    ])
  })

  test('jobs end when their time is over, waiting or running', async () => {
    const inside = lookInside(kind, server.url)
    for (const id of ['running', 'waiting']) await database.accept(job(id, { timeoutMs: 50 }), BOUNDS)
    expect(idOf(await claim('t'))).toBe('running')
    await eventually(async () => {
      await database.sweep(undefined)
      return (await inside.stateOf('running')) === 'failed' && (await inside.stateOf('waiting')) === 'failed'
    })
    expect((await database.record('waiting'))!.view.error).toEqual({ code: 'TIMEOUT' })
    expect([await claim('t'), await claim('u')]).toEqual(['nothing', 'nothing'])
    await inside.end()
  })

  test('a job that takes two workers along is buried with its inputs, and can be sent again', async () => {
    await database.board.announce('first', '{}', [])
    await database.board.announce('second', '{}', [])
    // Somebody has looked all the time.
    await database.sweep(undefined)
    await database.parts.put('a', 'in', new Map([['i', Buffer.from('x')]]), 60_000)
    await database.accept(job('a', { hookHost: 'h' }), BOUNDS)
    expect(idOf(await claim('t', { worker: 'first' }))).toBe('a')
    expect(idOf(await claim('t', { worker: 'second' }))).toBe('a')
    // It is held until it is known whether the two have ended.
    expect(await claim('t', { worker: 'third' })).toBe('nothing')
    const end = Date.now() + FORGOTTEN_MS + 5000
    while ((await database.deadLetters()).length === 0 && Date.now() < end) {
      await database.sweep(undefined)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    const [letter] = await database.deadLetters()
    expect(letter!.view).toMatchObject({ id: 'a', state: 'failed', error: { code: 'INTERNAL', subject: 'worker' } })
    expect(await database.stats()).toMatchObject({ deadLetters: 1, inputBytes: 0 })
    expect([await database.sendAgain('a'), await database.sendAgain('a'), await database.deadLetters()]).toEqual([
      'm',
      undefined,
      []
    ])
    expect((await database.parts.get('a', 'in', ['i'])).get('i')).toEqual(Buffer.from('x'))
    const claimed = await claim('u', { worker: 'fourth' })
    expect([idOf(claimed), typeof claimed === 'object' && claimed.work]).toEqual(['a', '{"kind":"generate"}'])
    expect(await database.stats()).toMatchObject({ running: 1, inputBytes: 10, deadLetters: 0 })

    // It fails again, while somebody has the message of its first end for long.
    const hooks = async () =>
      (await database.takeHooks({ leaseMs: 60_000, most: 9, mostOfHost: 9, held: new Map() })).due.map(({ name }) => name)
    const first = await hooks()
    await database.giveUp('a', { state: 'failed', error: '{}', again: false })
    await database.endHook(first[0]!, 'h', 1, undefined)
    const second = await hooks()
    expect([first, second]).toEqual([[expect.stringMatching(/^a_failed_\d+$/)], [expect.stringMatching(/^a_failed_\d+$/)]])
    expect(second).not.toEqual(first)
  })

  // A step that lasts keeps all others waiting.
  test('what is kept beyond a limit goes a part at a time', async () => {
    for (let number = 0; number < 220; number++) {
      await database.accept(job(`job-${number}`), BOUNDS)
      await database.giveUp(`job-${number}`, { state: 'cancelled', error: '{}', again: false })
    }
    await database.sweep({ maxKeptJobs: 5, maxKeptBytes: 0 })
    expect((await database.stats()).kept).toBeGreaterThanOrEqual(20)
    await eventually(async () => {
      await database.sweep({ maxKeptJobs: 5, maxKeptBytes: 1000 })
      return (await database.stats()).kept <= 5
    })
    expect((await database.stats()).kept).toBe(5)
  })
})
