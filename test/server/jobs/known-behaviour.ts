import { afterEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../../lib/errors.js'
import type { JobEvent, JobFilter, JobPage, JobStore, Submitted } from '../../../lib/server/jobs/store.js'
import { endStores, generate, setUpStore, type MakeStore } from './store-setup.js'

const pageOf = async (store: JobStore, filter: JobFilter) => (await store.list(filter)) as JobPage
const again = (fingerprint: string, more: object = {}) => ({ idempotency: { key: 'k', fingerprint }, ...more })

type Limits = Parameters<typeof setUpStore>[1]

/** What every store does for those who ask for jobs that it knows: page by page, and again by the same key. */
export function describeKnownJobs(name: string, makeStore: MakeStore): void {
  const setUp = (limits?: Limits) => setUpStore(makeStore, limits)
  afterEach(endStores)

  async function finished(count: number, limits: Limits) {
    const { store, submit, runs } = setUp(limits)
    const ids: string[] = []
    for (let index = 1; index <= count; index++) {
      const job = await submit()
      ids.push(job.view.id)
      ;(await runs(index)).finish()
      await job.outcome()
    }
    return { ids, store }
  }

  async function collect({ events }: Submitted): Promise<string[]> {
    const said: JobEvent[] = []
    for await (const event of events()) said.push(event)
    return said.map(event => (event.type === 'view' ? event.view.state : event.type))
  }

  describe(`${name}, asked for jobs that it knows`, () => {
    test('lists the newest first, page by page, of one owner or of all', async () => {
      const { store, submit } = setUp({ maxQueued: 10, maxQueuedPerKey: 10 })
      const ids: string[] = []
      for (let index = 0; index < 5; index++)
        ids.unshift((await submit(generate(), { owner: index === 2 ? 'bob' : 'ann' })).view.id)
      const first = await pageOf(store, { limit: 2 })
      expect([first.jobs.map(({ id }) => id), first.more]).toEqual([ids.slice(0, 2), true])
      // Two run. Owners take turns, so bob's job goes before the other two.
      expect(first.jobs.map(({ position }) => position)).toEqual([2, 1])
      const rest = await pageOf(store, { limit: 5, after: ids[1]! })
      expect([rest.jobs.map(({ id }) => id), rest.more]).toEqual([ids.slice(2), false])
      expect((await pageOf(store, { owner: 'bob', limit: 5 })).jobs.map(({ id }) => id)).toEqual([ids[2]])
      // Whoever asks for what comes after nothing gets no page, and not the first one again.
      expect(await store.list({ limit: 5, after: 'another' })).toBeUndefined()
      expect(await store.list({ owner: 'ann', limit: 5, after: ids[2]! })).toBeUndefined()
    })

    test('says that the job after which a page begins has expired', async () => {
      const { ids, store } = await finished(2, { maxKeptJobs: 1 })
      expect(await store.list({ limit: 5, after: ids[0]! })).toBe('expired')
      expect((await pageOf(store, { limit: 5, after: ids[1]! })).jobs).toEqual([])
    })

    test('lists jobs in the order in which they came, however they end', async () => {
      const { backend, store, submit, runs } = setUp({ maxQueued: 10, maxQueuedPerKey: 10, maxImages: 5 })
      const jobs = await Promise.all(Array.from({ length: 5 }, () => submit()))
      await runs(5)
      for (const index of [3, 0, 4]) {
        backend.runs[index]!.finish()
        await jobs[index]!.outcome()
      }
      const ids = jobs.map(({ view }) => view.id).reverse()
      expect((await pageOf(store, { limit: 10 })).jobs.map(({ id }) => id)).toEqual(ids)
    })

    test('says from the beginning when a job is forgotten at the latest', async () => {
      const { submit, runs, store } = setUp()
      const { view, outcome } = await submit(generate(), { timeoutMs: 7000 })
      expect(view.expiresAt! - view.createdAt).toBe(67_000)
      ;(await runs(1)).finish()
      await outcome()
      const { endedAt, expiresAt } = (await store.get(view.id)) as Submitted['view']
      expect(expiresAt! - endedAt!).toBe(60_000)
    })

    test('does the work of one key once, for whoever asks while it waits, runs or is over', async () => {
      const { backend, store, submit, runs } = setUp({ maxImages: 1, maxQueued: 1 })
      await submit()
      const first = await submit(generate(), again('a'))
      // The queue is full, and this is no new work.
      const second = await submit(generate(), again('a'))
      expect([first.known, second.known, second.view.id]).toEqual([false, true, first.view.id])
      await runs(1)
      backend.runs[0]!.finish()
      await runs(2)
      const third = await submit(generate(), again('a'))
      backend.runs[1]!.finish()
      const fourth = await submit(generate(), again('a'))
      await first.outcome()
      const fifth = await submit(generate(), again('a'))
      const outcomes = await Promise.all([first, second, third, fourth, fifth].map(({ outcome }) => outcome()))
      for (const outcome of outcomes) expect(structuredClone(outcome)).toEqual(structuredClone(outcomes[0]))
      expect(fifth.view).toMatchObject({ id: first.view.id, state: 'succeeded' })
      expect(await collect(fifth)).toEqual(['succeeded'])
      expect(backend.runs).toHaveLength(2)
      expect((await pageOf(store, { limit: 9 })).jobs).toHaveLength(2)
    })

    test('refuses a key that stands for something else, of the same owner alone', async () => {
      const { submit } = setUp()
      await submit(generate(), again('a'))
      await expect(submit(generate(), again('b'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'idempotencyKey' })
      expect((await submit(generate(), again('b', { owner: 'bob' }))).known).toBe(false)
      expect((await submit(generate(), { idempotency: { key: 'l', fingerprint: 'a' } })).known).toBe(false)
    })

    test('forgets a key with its job, and counts it among what is kept', async () => {
      const { store, submit, runs } = setUp({ maxKeptJobs: 1 })
      const sizes: number[] = []
      for (const [index, key] of ['k', 'k'.repeat(200), 'l'].entries()) {
        const job = await submit(generate(), { idempotency: { key, fingerprint: 'a' } })
        expect(job.known).toBe(false)
        ;(await runs(index + 1)).finish()
        await job.outcome()
        sizes.push((await store.stats()).keptBytes)
      }
      expect(sizes[1]! - sizes[0]!).toBe(199)
      expect((await submit(generate(), { idempotency: { key: 'k', fingerprint: 'b' } })).known).toBe(false)
    })

    test.each([
      ['OUT_OF_MEMORY', false],
      ['DISPOSED', false],
      ['NOT_FINITE', true],
      ['TIMEOUT', true]
    ] as const)('after %s asking again gives the same failure: %s', async (code, same) => {
      const { submit, runs } = setUp()
      const first = await submit(generate(), again('a'))
      ;(await runs(1)).fail(new WuerstchenError(code, 'm', { subject: null }))
      await first.outcome()
      const second = await submit(generate(), again('a'))
      expect(second.known).toBe(same)
      if (same) expect(await second.outcome()).toMatchObject({ state: 'failed', error: { code } })
    })
  })
}
