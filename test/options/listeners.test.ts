import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Listeners } from '../../lib/options/listeners.js'

const unhandled: unknown[] = []
const note = (error: unknown) => unhandled.push(error)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await wait(5)
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

/** Work that calls its listener until it is told to stop, as native code does. */
const work = (listener: (count: number) => void, times: number) => async (signal: AbortSignal) => {
  for (let count = 1; count <= times; count++) {
    await wait(1)
    signal.throwIfAborted()
    listener(count)
  }
  return 'result'
}

const outcome = async (work: Promise<unknown>) => {
  try {
    return { result: await work }
  } catch (thrown) {
    return { thrown }
  }
}

test.each([[new Error('mine')], [undefined], [null], ['text'], [0]])(
  '%s that is thrown is what the call rejects with',
  async thrown => {
    let heard = 0
    const listeners = new Listeners(undefined)
    const listener = listeners.of(() => {
      heard++
      throw thrown
    })
    const discarded: unknown[] = []
    expect(await outcome(listeners.run(work(listener, 5), result => discarded.push(result)))).toEqual({ thrown })
    expect([heard, discarded]).toEqual([1, []])
  }
)

test.each([[new Error('mine')], [undefined]])('an async listener that rejects with %s does the same', async thrown => {
  let heard = 0
  const listeners = new Listeners(undefined)
  const listener = listeners.of(async () => {
    heard++
    await wait(3)
    throw thrown
  })
  expect(await outcome(listeners.run(work(listener, 500), () => {}))).toEqual({ thrown })
  expect(heard).toBeLessThan(500)
  const atEnd = heard
  await wait(10)
  expect(heard).toBe(atEnd)
})

test('an async listener that rejects after the work is done is heard too, and the result is freed', async () => {
  const listeners = new Listeners(undefined)
  const listener = listeners.of(async () => {
    await wait(30)
    throw 'late'
  })
  const discarded: unknown[] = []
  expect(await outcome(listeners.run(work(listener, 1), result => discarded.push(result)))).toEqual({ thrown: 'late' })
  expect(discarded).toEqual(['result'])
})

test('a call waits for its async listeners, but not after an abort', async () => {
  let ended = 0
  const listeners = new Listeners(undefined)
  const listener = listeners.of(async () => {
    await wait(20)
    ended++
  })
  expect(await outcome(listeners.run(work(listener, 3), () => {}))).toEqual({ result: 'result' })
  expect(ended).toBe(3)
  const outer = new AbortController()
  const stuck = new Listeners(outer.signal)
  const pending = stuck.run(
    work(
      stuck.of(() => new Promise(() => {})),
      1
    ),
    () => {}
  )
  setTimeout(() => outer.abort('enough'), 20)
  expect(await outcome(pending)).toEqual({ thrown: 'enough' })
})

test("the caller's abort comes through with its reason, and no listener hears of anything after it", async () => {
  const outer = new AbortController()
  const listeners = new Listeners(outer.signal)
  let heard = 0
  const listener = listeners.of(() => {
    if (++heard === 2) outer.abort('enough')
  })
  const stubborn = async () => {
    for (let count = 0; count < 5; count++) listener()
    throw outer.signal.reason
  }
  expect(await outcome(listeners.run(stubborn, () => {}))).toEqual({ thrown: 'enough' })
  expect(heard).toBe(2)
})

test('a thenable whose then throws counts as a listener that throws', async () => {
  const listeners = new Listeners(undefined)
  const listener = listeners.of(() => ({
    get then() {
      throw 'hostile'
    }
  }))
  expect(await outcome(listeners.run(work(listener, 1), () => {}))).toEqual({ thrown: 'hostile' })
})

test('a listener runs in the async context in which it was wrapped', async () => {
  const storage = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const calls = ['a', 'b'].map(name => storage.run(name, () => new Listeners(undefined).of(() => seen.push(storage.getStore()))))
  storage.run('whoever loaded the addon', () => calls.forEach(call => call()))
  expect(seen).toEqual(['a', 'b'])
})
