import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import type { MemoryStoreLimits } from '../../../lib/server/jobs/memory-store.js'
import type { JobEvent, Submitted } from '../../../lib/server/jobs/store.js'
import { serveOrders } from '../../../lib/server/jobs/worker.js'
import { fakeImage, resultOf, until } from '../fake-backend.js'
import { endStores, generate, setUpStore, vary, type MakeStore } from './store-setup.js'

const refusedFor = (subject: string) => expect.objectContaining({ name: 'WuerstchenError', code: 'QUEUE_FULL', subject }) as Error

type Options = Parameters<typeof setUpStore> extends [MakeStore, ...infer Rest] ? Rest : never

/** What every store of jobs does, wherever it is. */
export function describeStore(name: string, makeStore: MakeStore): void {
  const setUp = (...options: Options) => setUpStore(makeStore, ...options)
  afterEach(endStores)

  async function collect({ events }: Submitted, into: JobEvent[]) {
    for await (const event of events()) into.push(event)
  }

  const said = (events: JobEvent[]) => events.map(event => (event.type === 'view' ? event.view.state : event.type))

  describe(name, () => {
    test('runs as many images as fit, and the next when one is done', async () => {
      const { backend, store, submit, runs } = setUp()
      const jobs = [await submit(), await submit(), await submit()]
      expect(jobs.map(({ view: { state, position } }) => [state, position])).toEqual([
        ['running', null],
        ['running', null],
        ['queued', 0]
      ])
      expect(await store.stats()).toMatchObject({ queued: 1, running: 2, runningImages: 2 })
      await runs(2)
      backend.runs[0]!.finish()
      expect(structuredClone(await jobs[0]!.outcome())).toEqual({
        state: 'succeeded',
        result: structuredClone(resultOf(generate()))
      })
      await runs(3)
      expect(await store.stats()).toMatchObject({ queued: 0, running: 2, runningImages: 2 })
    })

    test('waits for room for a large job instead of letting small ones pass it', async () => {
      const { backend, submit, runs } = setUp()
      await submit()
      await submit(generate(2))
      await submit()
      await runs(1)
      backend.runs[0]!.finish()
      await runs(2)
      expect(backend.runs.map(({ work }) => work.images)).toEqual([1, 2])
    })

    test('runs a job alone that is larger than what fits', async () => {
      const { backend, store, submit, runs } = setUp()
      await submit(generate(5))
      await submit()
      expect(await store.stats()).toMatchObject({ queued: 1, running: 1, runningImages: 5 })
      await runs(1)
      backend.runs[0]!.finish()
      await runs(2)
    })

    test('refuses what is too much, of everybody and of one owner, and names the limit', async () => {
      const { store, submit } = setUp({ maxQueuedPerKey: 3, maxImages: 1 })
      for (let index = 0; index < 4; index++) await submit()
      expect(await store.refusal('ann')).toBe('maxQueuedPerKey')
      await expect(submit()).rejects.toEqual(refusedFor('maxQueuedPerKey'))
      await submit(generate(), { owner: 'bob' })
      expect(await store.refusal('bob')).toBe('maxQueued')
      await expect(submit(generate(), { owner: 'bob' })).rejects.toEqual(refusedFor('maxQueued'))
    })

    test('counts the files and texts of a job until it ends, and lets them go', async () => {
      const { backend, store, submit, runs } = setUp({ maxImages: 1 })
      await submit(vary(900))
      await submit(vary(200))
      const texts = 2 * Buffer.byteLength('häuser')
      expect(await store.stats()).toMatchObject({ inputBytes: 1100 + texts })
      await runs(1)
      backend.runs[0]!.finish()
      await runs(2)
      const { inputBytes, kept, keptBytes } = await store.stats()
      expect([inputBytes, kept]).toEqual([200 + texts / 2, 1])
      // The view and the result; the file that was sent has 900 bytes.
      expect(keptBytes).toBeLessThan(900)
    })

    test('tells what happens to a job, and what it is at last', async () => {
      const { backend, submit, runs } = setUp({ maxImages: 1 })
      await submit()
      const seen: JobEvent[] = []
      const second = await submit()
      const following = collect(second, seen)
      await until(() => seen.length === 1)
      await runs(1)
      backend.runs[0]!.finish()
      const run = await runs(2)
      run.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 4 })
      await until(() => said(seen).includes('step'))
      run.emit({ type: 'image', image: 0, result: fakeImage(generate(), 0) })
      run.finish()
      await following
      expect(said(seen)).toEqual(['queued', 'running', 'step', 'image', 'succeeded'])
      expect(seen[0]).toMatchObject({ view: { position: 0, progress: [null], startedAt: null } })
      expect(seen.at(-1)).toMatchObject({
        view: { position: null, progress: [{ stage: 'prior', step: 1, steps: 4 }], error: null }
      })
    })

    test('lets a slow listener miss overtaken steps and nothing else', async () => {
      const { submit, runs } = setUp()
      const job = await submit(generate(2))
      const events = job.events()[Symbol.asyncIterator]()
      await events.next()
      const run = await runs(1)
      for (let step = 1; step <= 3; step++)
        for (const image of [0, 1]) run.emit({ type: 'step', image, stage: 'prior', step, steps: 3 })
      run.emit({ type: 'image', image: 1, result: fakeImage(generate(), 1) })
      run.finish()
      await job.outcome()
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

    test('tells nothing that comes after the listener has had enough, although it still holds the last event', async () => {
      const { store, submit, runs } = setUp()
      const {
        view: { id }
      } = await submit()
      const run = await runs(1)
      const enough = new AbortController()
      const events = store.follow(id, enough.signal)[Symbol.asyncIterator]()
      expect((await events.next()).value).toMatchObject({ type: 'view' })
      enough.abort()
      run.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 3 })
      run.finish()
      await expect(events.next()).resolves.toEqual({ done: true, value: undefined })
    })

    test('ends a waiting job at once and never runs it', async () => {
      const { backend, store, submit, runs } = setUp({ maxImages: 1 })
      await submit()
      const waiting = await submit()
      await store.cancel(waiting.view.id, 'client_gone')
      const error = { code: 'client_gone', message: 'The client went away', subject: null }
      expect(await waiting.outcome()).toEqual({ state: 'cancelled', error })
      expect(await store.get(waiting.view.id)).toMatchObject({ state: 'cancelled', error, startedAt: null })
      await runs(1)
      backend.runs[0]!.finish()
      await submit()
      expect((await runs(2)).work.images).toBe(1)
      expect(await store.stats()).toMatchObject({ queued: 0, running: 1 })
    })

    test('ends a running job through its signal, and gives its room to the next', async () => {
      const { backend, store, submit, runs, failures } = setUp({ maxImages: 1 })
      const running = await submit()
      await submit()
      await runs(1)
      await store.cancel(running.view.id, 'job_cancelled')
      expect(backend.runs[0]!.signal.aborted).toBe(true)
      expect(await store.get(running.view.id)).toMatchObject({ state: 'cancelled', error: { code: 'job_cancelled' } })
      await runs(2)
      // Being stopped is no failure of the work.
      expect(failures).toEqual([])
    })

    test('takes the first reason to give a job up', async () => {
      const { backend, store, submit, runs } = setUp()
      const running = await submit()
      await runs(1)
      const ends = [store.cancel(running.view.id, 'job_cancelled'), store.cancel(running.view.id, 'client_gone'), store.abort()]
      backend.runs[0]!.finish()
      await Promise.all(ends)
      expect(await running.outcome()).toMatchObject({ state: 'cancelled', error: { code: 'job_cancelled' } })
    })

    test('gives up what takes too long, waiting or running: that is a failure', async () => {
      const { store, submit } = setUp({ maxImages: 1 })
      const running = await submit(generate(), { timeoutMs: 300 })
      const waiting = await submit(generate(), { timeoutMs: 50 })
      const timeout = { state: 'failed', error: { code: 'TIMEOUT', subject: 'timeoutSeconds' } }
      expect(await waiting.outcome()).toMatchObject(timeout)
      expect(await store.get(waiting.view.id)).toMatchObject({ state: 'failed', startedAt: null })
      expect(await running.outcome()).toMatchObject(timeout)
    })

    test('reports the failure of work as facts, and the worker hears of the error itself', async () => {
      const { store, submit, runs, failures } = setUp()
      const [known, unknown] = [await submit(), await submit()]
      const errors = [
        new WuerstchenError('OUT_OF_MEMORY', 'none left', { subject: 'decoder' }),
        new TypeError('x is not a function')
      ]
      for (const [index, error] of errors.entries()) (await runs(index + 1)).fail(error)
      const facts = [
        { code: 'OUT_OF_MEMORY', message: 'none left', subject: 'decoder' },
        { code: 'INTERNAL', message: 'TypeError: x is not a function', subject: null }
      ]
      for (const [index, job] of [known, unknown].entries()) {
        expect(await job.outcome()).toEqual({ state: 'failed', error: facts[index] })
        expect(await store.get(job.view.id)).toMatchObject({ state: 'failed', error: facts[index] })
      }
      expect(failures).toEqual(errors)
    })

    test('remembers finished jobs for their time, then that they were there', async () => {
      const { store, submit, runs } = setUp({ resultTtlSeconds: 0.5 })
      const {
        view: { id },
        outcome
      } = await submit()
      const { finish } = await runs(1)
      finish()
      await outcome()
      const view = await store.get(id)
      expect(view).toMatchObject({ state: 'succeeded' })
      expect(structuredClone(await store.result(id))).toEqual(structuredClone(resultOf(generate())))
      const { endedAt, expiresAt } = view as Submitted['view']
      expect(expiresAt! - endedAt!).toBe(500)
      await until(async () => (await store.get(id)) === 'expired')
      expect(await store.result(id)).toBeUndefined()
      expect(await store.get('another')).toBeUndefined()
      expect(await store.stats()).toMatchObject({ kept: 0, keptBytes: 0 })
    })

    async function finished(limits: Partial<MemoryStoreLimits>, count: number) {
      const { store, submit, runs } = setUp(limits)
      const ids: string[] = []
      for (let index = 1; index <= count; index++) {
        const job = await submit()
        ids.push(job.view.id)
        const { finish } = await runs(index)
        finish()
        await job.outcome()
      }
      return { ids, store }
    }

    test('forgets the oldest jobs when they take too much room', async () => {
      const { keptBytes: each } = await (await finished({}, 1)).store.stats()
      // The file, its parameters, and the view with its two ids.
      expect(each).toBeGreaterThan(9 + 36)
      const { ids, store } = await finished({ maxKeptBytes: 2.5 * each }, 3)
      expect(await store.get(ids[0]!)).toBe('expired')
      expect(await store.get(ids[1]!)).toMatchObject({ state: 'succeeded' })
      expect(await store.stats()).toMatchObject({ kept: 2, keptBytes: 2 * each })
    })

    test('forgets the oldest jobs when there are too many', async () => {
      const { ids, store } = await finished({ maxKeptJobs: 2 }, 3)
      expect(await store.get(ids[0]!)).toBe('expired')
      expect(await store.get(ids[1]!)).toMatchObject({ state: 'succeeded' })
      expect(await store.stats()).toMatchObject({ kept: 2 })
    })

    test('counts all numbers and texts of what it keeps', async () => {
      const { store, submit, runs } = setUp()
      const sizes: number[] = []
      for (const [index, values] of [[], new Array<number>(1000).fill(0.5)].entries()) {
        const before = (await store.stats()).keptBytes
        const job = await submit({ kind: 'embedText', model: 'm', images: 1, options: {} })
        const { finish } = await runs(index + 1)
        finish({ kind: 'embeddings', file: Buffer.alloc(10), shape: [1], values, seeds: [1] })
        await job.outcome()
        sizes.push((await store.stats()).keptBytes - before)
      }
      expect(sizes[1]! - sizes[0]!).toBe(8000)
    })

    test('forgets at once what nobody keeps', async () => {
      const { store, submit, runs } = setUp()
      const {
        view: { id },
        outcome
      } = await submit(generate(), { keep: false })
      expect(await store.list({ limit: 10 })).toEqual({ jobs: [], more: false })
      const { finish } = await runs(1)
      finish()
      await outcome()
      expect(await store.get(id)).toBeUndefined()
    })

    test('drains: what waits is turned away, what runs ends, nothing new is taken', async () => {
      const { backend, store, submit, runs, worker } = setUp({ maxImages: 1 })
      const running = await submit()
      const waiting = await submit()
      await runs(1)
      let drained = false
      const draining = store.drain().then(() => {
        drained = true
      })
      expect(await waiting.outcome()).toMatchObject({ state: 'failed', error: { code: 'QUEUE_FULL', subject: 'shutdown' } })
      await expect(submit()).rejects.toEqual(refusedFor('shutdown'))
      expect([await store.refusal('ann'), drained]).toEqual(['shutdown', false])
      const outcome = running.outcome()
      backend.runs[0]!.finish()
      expect(await outcome).toMatchObject({ state: 'succeeded' })
      await draining
      // Its worker has no more to do.
      await worker
      expect(backend.runs).toHaveLength(1)
    })

    test('ends what runs when it is told to', async () => {
      const { store, submit } = setUp()
      const running = await submit()
      await store.abort()
      expect(await running.outcome()).toMatchObject({ state: 'failed', error: { code: 'QUEUE_FULL', subject: 'shutdown' } })
    })

    test('gives up what a worker leaves behind without a word, and waits for another', async () => {
      const { store, submit, stop, worker } = setUp()
      stop.abort()
      await worker
      const lost = new AbortController()
      const order = store.orders(1, lost.signal)[Symbol.asyncIterator]().next()
      const [running, waiting] = [await submit(), await submit()]
      expect((await order).value).toEqual({ type: 'run', id: running.view.id, work: generate() })
      lost.abort()
      expect(await running.outcome()).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' } })
      expect(await store.get(waiting.view.id)).toMatchObject({ state: 'queued', position: 0 })
      const next = new AbortController()
      void serveOrders(store, async work => resultOf(work), { maxImages: 1, signal: next.signal })
      expect(await waiting.outcome()).toMatchObject({ state: 'succeeded' })
      next.abort()
    })

    test('stops what a worker runs that is told to leave', async () => {
      const { submit, runs, stop, worker } = setUp()
      const running = await submit()
      const { signal } = await runs(1)
      stop.abort()
      await worker
      expect(signal.aborted).toBe(true)
      expect(await running.outcome()).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' } })
    })

    test('knows since when running work has been silent', async () => {
      const { store, submit, runs } = setUp()
      const job = await submit()
      await delay(300)
      expect((await store.stats()).silentMs).toBeGreaterThanOrEqual(290)
      const { emit, finish } = await runs(1)
      emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2 })
      await until(async () => (await store.stats()).silentMs < 290)
      finish()
      await job.outcome()
      expect((await store.stats()).silentMs).toBe(0)
    })

    test('counts silence from the last event of what runs, not from the last job that started', async () => {
      const { store, submit, runs } = setUp()
      const first = await submit()
      await runs(1)
      await delay(300)
      const second = await submit()
      await runs(2)
      expect((await store.stats()).silentMs).toBeGreaterThanOrEqual(290)
      ;(await runs(2)).finish()
      await second.outcome()
      expect((await store.stats()).silentMs).toBeLessThan(290)
      ;(await runs(1)).finish()
      await first.outcome()
    })

    test('tells observers of every job', async () => {
      const told: unknown[] = []
      const { submit, runs } = setUp({}, [
        {
          queued: ({ state, position }) => told.push([state, position]),
          started: ({ state }) => told.push([state]),
          ended: ({ state }, timings) => told.push([state, timings?.prior])
        }
      ])
      const job = await submit()
      const { finish } = await runs(1)
      finish()
      await job.outcome()
      await until(() => told.length === 3)
      expect(told).toEqual([['queued', 0], ['running'], ['succeeded', 3]])
    })
  })
}
