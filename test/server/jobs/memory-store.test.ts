import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import { MemoryStore, type MemoryStoreLimits } from '../../../lib/server/jobs/memory-store.js'
import type { JobEvent, Submitted, Terms } from '../../../lib/server/jobs/store.js'
import type { Work } from '../../../lib/server/jobs/work.js'
import { FakeBackend, fakeImage, resultOf } from '../fake-backend.js'

const LIMITS: MemoryStoreLimits = {
  maxQueued: 4,
  maxQueuedPerOwner: 4,
  maxRunningImages: 2,
  maxInputBytes: 1000,
  ttlMs: 60_000,
  maxBytes: 1000
}
const TERMS: Terms = { owner: 'ann', priority: 0, timeoutMs: 10_000, keep: true }
const generate = (images = 1): Work => ({
  kind: 'generate',
  model: 'm',
  images,
  file: { format: 'png' },
  previews: 0,
  options: {}
})
const vary = (bytes: number): Work => ({
  kind: 'vary',
  model: 'm',
  images: 1,
  file: { format: 'png' },
  previews: 0,
  source: Buffer.alloc(bytes),
  options: {}
})
const full = expect.objectContaining({ name: 'WuerstchenError', code: 'QUEUE_FULL' }) as Error

/** Lets every promise that can settle do so, whatever the clock says. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

function setUp(limits: Partial<MemoryStoreLimits> = {}) {
  const backend = new FakeBackend()
  const store = new MemoryStore((work, signal, emit) => backend.run({ name: 'm', dispose: async () => {} }, work, signal, emit), {
    ...LIMITS,
    ...limits
  })
  const submit = (work: Work = generate(), terms: Partial<Terms> = {}) => store.submit(work, { ...TERMS, ...terms })
  return { backend, store, submit }
}

async function collect({ events }: Submitted, into: JobEvent[]) {
  for await (const event of events()) into.push(event)
}

// The store's own timers alone: promises go on as always.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a store of jobs', () => {
  test('runs as many pictures as fit, and the next when one is done', async () => {
    const { backend, store, submit } = setUp()
    const jobs = [await submit(), await submit(), await submit()]
    expect(jobs.map(({ view: { state, position } }) => [state, position])).toEqual([
      ['running', null],
      ['running', null],
      ['queued', 0]
    ])
    expect(store.stats()).toMatchObject({ queued: 1, running: 2, runningImages: 2 })
    backend.runs[0]!.finish()
    await expect(jobs[0]!.result()).resolves.toEqual(resultOf(generate()))
    expect(backend.runs).toHaveLength(3)
  })

  test('waits for room for a large job instead of letting small ones pass it', async () => {
    const { backend, submit } = setUp()
    await submit()
    await submit(generate(2))
    await submit()
    expect(backend.runs).toHaveLength(1)
    backend.runs[0]!.finish()
    await settle()
    expect(backend.runs.map(({ work }) => work.images)).toEqual([1, 2])
  })

  test('runs a job alone that is larger than what fits', async () => {
    const { backend, submit } = setUp()
    await submit(generate(5))
    await submit()
    expect(backend.runs).toHaveLength(1)
    backend.runs[0]!.finish()
    await settle()
    expect(backend.runs).toHaveLength(2)
  })

  test('refuses what is too much, of everybody and of one owner', async () => {
    const { store, submit } = setUp({ maxQueuedPerOwner: 3, maxRunningImages: 1 })
    for (let index = 0; index < 4; index++) await submit()
    expect(store.refusal('ann')).toBe('share')
    await expect(submit()).rejects.toEqual(full)
    await submit(generate(), { owner: 'bob' })
    expect(store.refusal('bob')).toBe('full')
    await expect(submit(generate(), { owner: 'bob' })).rejects.toEqual(full)
  })

  test('refuses more bytes than may be held, and has room again when they are given back', async () => {
    const { backend, submit } = setUp()
    await submit(vary(900))
    await expect(submit(vary(200))).rejects.toEqual(full)
    backend.runs[0]!.finish()
    await settle()
    await submit(vary(200))
  })

  test('tells what happens to a job, and what it is at last', async () => {
    const { backend, submit } = setUp({ maxRunningImages: 1 })
    await submit()
    const seen: JobEvent[] = []
    const second = await submit()
    const following = collect(second, seen)
    await settle()
    backend.runs[0]!.finish()
    await settle()
    const [, run] = backend.runs
    run!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 4 })
    run!.emit({ type: 'image', image: 0, result: fakeImage(generate(), 0) })
    await settle()
    run!.finish()
    await following
    expect(seen.map(event => (event.type === 'view' ? event.view.state : event.type))).toEqual([
      'queued',
      'running',
      'step',
      'image',
      'succeeded'
    ])
    expect(seen[0]).toMatchObject({ view: { position: 0, progress: [null], startedAt: null } })
    expect(seen.at(-1)).toMatchObject({
      view: { position: null, progress: [{ stage: 'prior', step: 1, steps: 4 }], error: null }
    })
  })

  test('lets a slow listener miss overtaken steps and nothing else', async () => {
    const { backend, submit } = setUp()
    const events = (await submit(generate(2))).events()[Symbol.asyncIterator]()
    await events.next()
    for (let step = 1; step <= 3; step++)
      for (const image of [0, 1]) backend.runs[0]!.emit({ type: 'step', image, stage: 'prior', step, steps: 3 })
    backend.runs[0]!.emit({ type: 'image', image: 1, result: fakeImage(generate(), 1) })
    backend.runs[0]!.finish()
    await settle()
    const rest: JobEvent[] = []
    for (let next = await events.next(); next.done !== true; next = await events.next()) rest.push(next.value)
    expect(rest).toMatchObject([
      { type: 'step', image: 0, step: 3 },
      { type: 'step', image: 1, step: 3 },
      { type: 'image', image: 1 },
      { view: { state: 'succeeded' } }
    ])
  })

  test('stops telling when the listener has had enough', async () => {
    const { store, submit } = setUp()
    const {
      view: { id }
    } = await submit()
    const enough = new AbortController()
    const events = store.follow(id, enough.signal)[Symbol.asyncIterator]()
    await events.next()
    const next = events.next()
    enough.abort()
    await expect(next).resolves.toEqual({ done: true, value: undefined })
  })

  test('ends a waiting job at once and never runs it', async () => {
    const { backend, store, submit } = setUp({ maxRunningImages: 1 })
    await submit()
    const waiting = await submit()
    const reason = new Error('no longer wanted')
    await store.cancel(waiting.view.id, reason)
    await expect(waiting.result()).rejects.toBe(reason)
    expect(await store.get(waiting.view.id)).toMatchObject({ state: 'cancelled', error: reason, startedAt: null })
    backend.runs[0]!.finish()
    await settle()
    expect(backend.runs).toHaveLength(1)
  })

  test('ends a running job through its signal, and gives its room to the next', async () => {
    const { backend, store, submit } = setUp({ maxRunningImages: 1 })
    const running = await submit()
    await submit()
    await store.cancel(running.view.id, new Error('no longer wanted'))
    expect(backend.runs[0]!.signal.aborted).toBe(true)
    expect(await store.get(running.view.id)).toMatchObject({ state: 'cancelled' })
    await settle()
    expect(backend.runs).toHaveLength(2)
  })

  test('gives up what takes too long, waiting or running', async () => {
    const { store, submit } = setUp({ maxRunningImages: 1 })
    const running = await submit(generate(), { timeoutMs: 5000 })
    const waiting = await submit(generate(), { timeoutMs: 3000 })
    const outcomes = Promise.allSettled([running.result(), waiting.result()])
    await vi.advanceTimersByTimeAsync(4000)
    expect(await store.get(waiting.view.id)).toMatchObject({ state: 'failed', startedAt: null })
    expect(await store.get(running.view.id)).toMatchObject({ state: 'running' })
    await vi.advanceTimersByTimeAsync(4000)
    const timeout = expect.objectContaining({ code: 'TIMEOUT' }) as Error
    expect((await outcomes).map(outcome => (outcome as PromiseRejectedResult).reason as Error)).toEqual([timeout, timeout])
  })

  test('reports the failure of work as it is', async () => {
    const { backend, store, submit } = setUp()
    const job = await submit()
    const error = new WuerstchenError('OUT_OF_MEMORY', 'none left', { subject: 'decoder' })
    backend.runs[0]!.fail(error)
    await expect(job.result()).rejects.toBe(error)
    expect(await store.get(job.view.id)).toMatchObject({ state: 'failed', error })
  })

  test('remembers finished jobs for their time, then that they were there', async () => {
    const { backend, store, submit } = setUp()
    const {
      view: { id }
    } = await submit()
    backend.runs[0]!.finish()
    await settle()
    expect(await store.get(id)).toMatchObject({ state: 'succeeded', expiresAt: Date.now() + 60_000 })
    expect(await store.result(id)).toEqual(resultOf(generate()))
    await vi.advanceTimersByTimeAsync(60_001)
    expect(await store.get(id)).toBe('expired')
    expect(await store.result(id)).toBeUndefined()
    expect(await store.get('another')).toBeUndefined()
    expect(store.stats()).toMatchObject({ kept: 0, keptBytes: 0 })
  })

  test('forgets the oldest results when they take too much room', async () => {
    const { backend, store, submit } = setUp({ maxBytes: 25 })
    const ids: string[] = []
    for (let index = 0; index < 3; index++) {
      ids.push((await submit()).view.id)
      backend.runs[index]!.finish()
      await settle()
    }
    expect(await store.get(ids[0]!)).toBe('expired')
    expect(await store.get(ids[1]!)).toMatchObject({ state: 'succeeded' })
    expect(store.stats()).toMatchObject({ kept: 2, keptBytes: 18 })
  })

  test('forgets at once what nobody keeps', async () => {
    const { backend, store, submit } = setUp()
    const {
      view: { id },
      result
    } = await submit(generate(), { keep: false })
    expect((await store.list({ limit: 10 })).jobs).toEqual([])
    backend.runs[0]!.finish()
    await result()
    expect(await store.get(id)).toBeUndefined()
  })

  test('lists the newest first, page by page, of one owner or of all', async () => {
    const { store, submit } = setUp({ maxQueued: 10, maxQueuedPerOwner: 10 })
    const ids: string[] = []
    for (let index = 0; index < 5; index++) {
      ids.unshift((await submit(generate(), { owner: index === 2 ? 'bob' : 'ann' })).view.id)
      vi.setSystemTime(Date.now() + 1)
    }
    const first = await store.list({ limit: 2 })
    expect([first.jobs.map(({ id }) => id), first.more]).toEqual([ids.slice(0, 2), true])
    const rest = await store.list({ limit: 5, after: ids[1]! })
    expect([rest.jobs.map(({ id }) => id), rest.more]).toEqual([ids.slice(2), false])
    expect((await store.list({ owner: 'bob', limit: 5 })).jobs.map(({ id }) => id)).toEqual([ids[2]])
  })

  test('drains: what waits is turned away, what runs ends, nothing new is taken', async () => {
    const { backend, store, submit } = setUp({ maxRunningImages: 1 })
    const running = await submit()
    const waiting = await submit()
    const outcome = expect(waiting.result()).rejects.toEqual(full)
    let drained = false
    const draining = store.drain().then(() => {
      drained = true
    })
    await outcome
    await expect(submit()).rejects.toEqual(full)
    expect([store.refusal('ann'), drained]).toEqual(['draining', false])
    backend.runs[0]!.finish()
    await expect(running.result()).resolves.toBeDefined()
    await draining
    expect(backend.runs).toHaveLength(1)
  })

  test('ends what runs when it is told to', async () => {
    const { store, submit } = setUp()
    const running = await submit()
    const outcome = expect(running.result()).rejects.toEqual(full)
    const draining = store.drain()
    store.abort(new WuerstchenError('QUEUE_FULL', 'no more time', { subject: 'draining' }))
    await outcome
    await draining
  })

  test('knows since when running work has been silent', async () => {
    const { backend, store, submit } = setUp()
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000)
    await submit()
    clock.mockReturnValue(6000)
    expect(store.stats().silentMs).toBe(5000)
    backend.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2 })
    expect(store.stats().silentMs).toBe(0)
    backend.runs[0]!.finish()
    await settle()
    clock.mockReturnValue(90_000)
    expect(store.stats().silentMs).toBe(0)
    clock.mockRestore()
  })
})
