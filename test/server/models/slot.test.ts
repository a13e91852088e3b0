import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ModelSlot, type Loadable } from '../../../lib/server/models/slot.js'

/** What an engine without work says, but for its silence. */
const NO_WORK = { queued: 0, running: 0, tasks: 0, batchSizes: {}, bytes: {}, stages: {} }

function setUp(idleMs = 1000) {
  const log: string[] = []
  let loading: { resolve: (model: Loadable) => void; reject: (error: unknown) => void }
  const slot = new ModelSlot({
    idleMs,
    load: () =>
      new Promise<Loadable>((resolve, reject) => {
        log.push('load')
        loading = { resolve, reject }
      }),
    loaded: () => log.push('loaded'),
    unloaded: () => log.push('unloaded')
  })
  const model = {
    dispose: async () => {
      log.push('dispose')
    }
  }
  return { slot, log, model, finish: () => loading.resolve(model), fail: (error: unknown) => loading.reject(error) }
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe("a model's slot", () => {
  test('loads once for all who want it', async () => {
    const { slot, log, finish } = setUp()
    const uses = Promise.all([slot.use(async () => 1), slot.use(async () => 2)])
    expect([slot.state, slot.health.status === 'ready']).toEqual(['loading', false])
    await settle()
    finish()
    expect(await uses).toEqual([1, 2])
    expect([slot.state, slot.health.status === 'ready', log]).toEqual(['ready', true, ['load', 'loaded']])
  })

  test('unloads after a time without use, and is still ready to serve', async () => {
    const { slot, log, finish } = setUp()
    const use = slot.use(async () => {})
    await settle()
    finish()
    await use
    await vi.advanceTimersByTimeAsync(999)
    expect(slot.state).toBe('ready')
    await vi.advanceTimersByTimeAsync(1)
    expect([slot.state, slot.health.status === 'ready', log]).toEqual([
      'unloaded',
      true,
      ['load', 'loaded', 'dispose', 'unloaded']
    ])
  })

  test('is neither unloaded while it is used nor loaded by a look at it', async () => {
    const { slot, log, model, finish } = setUp()
    let done = () => {}
    const use = slot.use(
      () =>
        new Promise<void>(resolve => {
          done = resolve
        })
    )
    await settle()
    finish()
    await settle()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await slot.peek()).toBe(model)
    done()
    await use
    await vi.advanceTimersByTimeAsync(1000)
    expect(await slot.peek()).toBeUndefined()
    expect(log.filter(each => each === 'load')).toHaveLength(1)
  })

  test('loads again when it is wanted again, after the first one is gone', async () => {
    const { slot, log, finish } = setUp()
    const first = slot.use(async () => {})
    await settle()
    finish()
    await first
    const unloading = slot.unload()
    const second = slot.use(async () => 'again')
    await unloading
    await settle()
    expect(log).toEqual(['load', 'loaded', 'dispose', 'unloaded', 'load'])
    finish()
    await expect(second).resolves.toBe('again')
  })

  test('says that it failed, and tries again for the next', async () => {
    const { slot, finish, fail } = setUp()
    const error = new Error('no memory')
    const first = slot.use(async () => {})
    await settle()
    fail(error)
    await expect(first).rejects.toBe(error)
    expect([slot.state, slot.health.status === 'ready']).toEqual(['failed', false])
    const second = slot.use(async () => 'well')
    await settle()
    finish()
    await expect(second).resolves.toBe('well')
    expect([slot.state, slot.health.status === 'ready']).toEqual(['ready', true])
  })

  test('tries again by itself, less and less often, and is failed until it is loaded', async () => {
    const loads: number[] = []
    const failed: number[] = []
    let broken = true
    let now = 0
    const slot = new ModelSlot<Loadable>({
      idleMs: 1000,
      load: async () => {
        loads.push(now)
        if (broken) throw new Error('no memory')
        return { dispose: async () => {} }
      },
      failed: (_, retryMs) => failed.push(retryMs)
    })
    const wait = async (seconds: number) => {
      for (let k = 0; k < seconds; k++) {
        now++
        await vi.advanceTimersByTimeAsync(1000)
      }
    }
    await expect(slot.use(async () => {})).rejects.toThrow('no memory')
    await wait(5 + 10 + 20 + 40 + 80 + 160 + 300 + 300)
    expect(loads).toEqual([0, 5, 15, 35, 75, 155, 315, 615, 915])
    expect(failed).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300].map(seconds => seconds * 1000))
    expect(slot.health).toEqual({ status: 'failed', code: 'INTERNAL' })
    broken = false
    await wait(300)
    expect(slot.health).toEqual({ status: 'ready' })
    // Nobody wanted it, so it is unloaded like any other; and the next failure is the first again.
    await wait(2)
    expect(slot.state).toBe('unloaded')
    broken = true
    await expect(slot.use(async () => {})).rejects.toThrow('no memory')
    expect([slot.health.status, failed.at(-1)]).toEqual(['failed', 5000])
    await slot.unload()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('does not try again what failed after it was unloaded', async () => {
    const { slot, fail } = setUp()
    const use = slot.use(async () => {})
    await settle()
    const unloading = slot.unload()
    fail(new Error('no memory'))
    await expect(use).rejects.toThrow('no memory')
    await unloading
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is not unloaded while its engine has work, though nobody waits for that', async () => {
    const { slot, model, log, finish } = setUp()
    let silentMs = 5
    const stats = () => ({ ...NO_WORK, silentMs, doing: 'prior' as const })
    Object.assign(model, { stats })
    const use = slot.use(async () => {})
    await settle()
    finish()
    await use
    await vi.advanceTimersByTimeAsync(5000)
    expect([slot.state, slot.silence()]).toMatchObject(['ready', { silentMs: 5, doing: 'prior' }])
    silentMs = 0
    await vi.advanceTimersByTimeAsync(1000)
    expect([slot.state, log]).toEqual(['unloaded', ['load', 'loaded', 'dispose', 'unloaded']])
  })

  test('tells of the silence of its engine from the first image until it is freed', async () => {
    let warm = () => {}
    let freed = () => {}
    const engine = { ...NO_WORK, silentMs: 7, doing: 'decoder' as const }
    const slot = new ModelSlot({
      idleMs: 0,
      load: async () => ({
        dispose: () =>
          new Promise<void>(resolve => {
            freed = resolve
          }),
        stats: () => engine
      }),
      warmUp: () =>
        new Promise<void>(resolve => {
          warm = resolve
        })
    })
    expect(slot.silence()).toEqual({ silentMs: 0, doing: null })
    const use = slot.use(async () => {})
    await settle()
    expect([slot.state, slot.silence()]).toMatchObject(['loading', { silentMs: 7, doing: 'decoder' }])
    warm()
    await use
    const unloading = slot.unload()
    await settle()
    const begin = performance.now()
    while (performance.now() - begin < 20);
    expect(slot.silence().silentMs).toBeGreaterThanOrEqual(27)
    expect(slot.silence().doing).toBe('decoder')
    freed()
    await unloading
    expect(slot.silence()).toEqual({ silentMs: 0, doing: null })
  })

  test('frees a model that cannot make its first image, and says that it failed', async () => {
    let disposed = 0
    const slot = new ModelSlot({
      idleMs: 0,
      load: async () => ({
        dispose: async () => {
          disposed++
        }
      }),
      warmUp: async () => {
        throw new Error('no memory')
      }
    })
    await expect(slot.use(async () => {})).rejects.toThrow('no memory')
    expect([disposed, slot.state, slot.silence().silentMs]).toEqual([1, 'failed', 0])
  })

  test('never unloads without an idle time', async () => {
    const { slot, finish } = setUp(0)
    const use = slot.use(async () => {})
    await settle()
    finish()
    await use
    expect(vi.getTimerCount()).toBe(0)
    expect(slot.state).toBe('ready')
  })
})
