import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Roll } from '../../lib/server/jobs/roll.js'
import type { JobView, StoreStats } from '../../lib/server/jobs/store.js'
import type { Silence } from '../../lib/server/models/slot.js'
import { Watchdog } from '../../lib/server/watchdog.js'

const HOUR = 3_600_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A watchdog over two models, whose engines say what the test tells them to. */
function setUp(stallSeconds = 10) {
  const since: Record<string, number | undefined> = {}
  const state = { loading: false, jobsSince: undefined as number | undefined, storeFails: false }
  const told: unknown[] = []
  const roll = new Roll()
  const silentFor = (begin: number | undefined) => (begin === undefined ? 0 : performance.now() - begin)
  const watchdog = new Watchdog({
    stallSeconds,
    models: {
      all: [{ name: 'one' }, { name: 'two' }],
      slot: (name: string) => ({ silence: (): Silence => ({ silentMs: silentFor(since[name]), doing: 'decoder' }) }),
      get loading() {
        return state.loading
      }
    } as never,
    jobs: {
      stats: async () => {
        if (state.storeFails) throw new Error('the store is away')
        return { silentMs: silentFor(state.jobsSince) } as StoreStats
      }
    },
    roll,
    hooks: [
      {
        stalled: (stall, jobs) => told.push(['stalled', stall, jobs]),
        recovered: stall => told.push(['recovered', stall]),
        hung: stall => told.push(['hung', stall])
      }
    ]
  })
  return {
    watchdog,
    roll,
    state,
    told,
    hang: (model: string) => {
      since[model] = performance.now()
    },
    goOn: (model: string) => {
      since[model] = undefined
    },
    /** What `told` says, without the jobs. */
    lines: () => (told as [string, { model: string | null; seconds: number }][]).map(([what, { model }]) => `${what} ${model}`)
  }
}

const job = (id: string, model: string, state: JobView['state'] = 'running') => ({ id, model, state }) as JobView

describe('an engine that finishes nothing', () => {
  test('is a stall after its time, hangs after twice that, and is told of once each', async () => {
    const { watchdog, told, hang, goOn, lines } = setUp()
    hang('two')
    await vi.advanceTimersByTimeAsync(9_999)
    expect([await watchdog.stall(), lines()]).toEqual([undefined, []])
    await vi.advanceTimersByTimeAsync(1)
    const stall = { model: 'two', stage: 'decoder', seconds: 10 }
    expect(await watchdog.stall()).toEqual(stall)
    expect(told).toEqual([['stalled', stall, { running: [], withoutResult: [] }]])
    await vi.advanceTimersByTimeAsync(9_999)
    expect([watchdog.hung, lines()]).toEqual([undefined, ['stalled two']])
    await vi.advanceTimersByTimeAsync(1001)
    expect(watchdog.hung).toMatchObject({ model: 'two', stage: 'decoder' })
    await vi.advanceTimersByTimeAsync(HOUR)
    expect(lines()).toEqual(['stalled two', 'hung two'])
    goOn('two')
    await vi.advanceTimersByTimeAsync(1000)
    expect([await watchdog.stall(), watchdog.hung, lines()]).toEqual([
      undefined,
      undefined,
      ['stalled two', 'hung two', 'recovered two']
    ])
    // One tick more or less.
    expect(Math.abs((told[2] as [string, { seconds: number }])[1].seconds - 3621)).toBeLessThanOrEqual(1)
  })

  test('is told of with the jobs that run, and with those that were given up since', async () => {
    const { roll, told, hang } = setUp()
    for (const id of ['early', 'given up', 'runs']) roll.started(job(id, 'one'))
    roll.started(job('elsewhere', 'two'))
    roll.ended(job('early', 'one', 'cancelled'))
    await vi.advanceTimersByTimeAsync(100)
    hang('one')
    await vi.advanceTimersByTimeAsync(100)
    roll.ended(job('given up', 'one', 'failed'))
    await vi.advanceTimersByTimeAsync(HOUR)
    expect(told[0]).toMatchObject(['stalled', { model: 'one' }, { running: ['runs'], withoutResult: ['given up'] }])
  })

  test('stays one whatever jobs start, and does not hide that another hangs', async () => {
    const { watchdog, state, hang, goOn, lines } = setUp()
    hang('one')
    for (let second = 0; second < 15; second++) {
      state.jobsSince = performance.now()
      await vi.advanceTimersByTimeAsync(1000)
      if (second === 3) hang('two')
    }
    expect(await watchdog.stall()).toMatchObject({ model: 'one', seconds: 15 })
    goOn('one')
    await vi.advanceTimersByTimeAsync(1000)
    expect(await watchdog.stall()).toMatchObject({ model: 'two' })
    expect(lines()).toEqual(['stalled one', 'stalled two', 'recovered one'])
  })

  test('is seen where the store of jobs cannot be reached', async () => {
    const { watchdog, state, hang, lines } = setUp()
    state.storeFails = true
    hang('one')
    await vi.advanceTimersByTimeAsync(25_000)
    expect(await watchdog.stall()).toMatchObject({ model: 'one' })
    expect(lines()).toEqual(['stalled one', 'hung one'])
  })
})

describe('no stall is', () => {
  test('an idle hour', async () => {
    const { watchdog, told } = setUp()
    await vi.advanceTimersByTimeAsync(HOUR)
    expect([await watchdog.stall(), watchdog.hung, told]).toEqual([undefined, undefined, []])
  })

  test('a model that takes long to load, nor the moment after', async () => {
    const { watchdog, state, told } = setUp()
    state.loading = true
    state.jobsSince = performance.now()
    await vi.advanceTimersByTimeAsync(HOUR)
    expect([await watchdog.stall(), watchdog.hung]).toEqual([undefined, undefined])
    state.loading = false
    await vi.advanceTimersByTimeAsync(9000)
    expect([await watchdog.stall(), told]).toEqual([undefined, []])
  })

  test('work of an engine that goes on, though no job hears of it', async () => {
    const { watchdog, state, hang, goOn, told } = setUp()
    state.jobsSince = performance.now()
    for (let second = 0; second < 60; second++) {
      hang('one')
      await vi.advanceTimersByTimeAsync(1000)
    }
    goOn('one')
    expect([await watchdog.stall(), told]).toEqual([undefined, []])
  })

  test('anything where the time is 0', async () => {
    const { watchdog, hang, told } = setUp(0)
    hang('one')
    await vi.advanceTimersByTimeAsync(HOUR)
    expect([await watchdog.stall(), watchdog.hung, told]).toEqual([undefined, undefined, []])
  })

  test('anything after the end', async () => {
    const { watchdog, hang, told } = setUp()
    hang('one')
    watchdog.stop()
    await vi.advanceTimersByTimeAsync(HOUR)
    expect(told).toEqual([])
  })
})

test('jobs that are silent while no engine works are a stall of nobody in particular', async () => {
  const { watchdog, state, roll, told } = setUp()
  roll.started(job('a', 'one'))
  state.jobsSince = performance.now()
  await vi.advanceTimersByTimeAsync(11_000)
  expect(await watchdog.stall()).toEqual({ model: 'one', stage: null, seconds: 11 })
  expect(told).toMatchObject([['stalled', { model: 'one', stage: null }, { running: ['a'] }]])
})

test('a process that was stopped for an hour has time to go on', async () => {
  const { watchdog, hang, goOn, lines } = setUp()
  hang('one')
  const before = performance.now()
  // Its clock goes on, and none of its timers.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(before + HOUR)
  await vi.advanceTimersByTimeAsync(1000)
  clock.mockReturnValue(before + HOUR + 1000)
  await vi.advanceTimersByTimeAsync(1000)
  expect([watchdog.hung, lines()]).toEqual([undefined, ['stalled one']])
  goOn('one')
  clock.mockReturnValue(before + HOUR + 2000)
  await vi.advanceTimersByTimeAsync(1000)
  expect(lines()).toEqual(['stalled one', 'recovered one'])
  clock.mockRestore()
})
