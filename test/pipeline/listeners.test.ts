import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Pipeline, type LoadProgress } from '../../lib/index.js'
import { QUICK, smallModel, withPipeline } from '../support/small-model.js'

/** The real addon calls these listeners, from the context of whoever loaded it first. */

const unhandled: unknown[] = []
const note = (error: unknown) => unhandled.push(error)
const warnings: Error[] = []
const warn = (warning: Error) => warnings.push(warning)
beforeAll(() => {
  process.on('unhandledRejection', note).on('uncaughtException', note).on('warning', warn)
})
afterAll(async () => {
  await wait(20)
  process.off('unhandledRejection', note).off('uncaughtException', note).off('warning', warn)
  expect(unhandled).toEqual([])
  // DEP0168 is Node's word for an exception that was lost in a native callback.
  expect(warnings.filter(({ name, message }) => name !== 'ExperimentalWarning' && /N-API|unhandled/i.test(message))).toEqual([])
})

const context = new AsyncLocalStorage<string>()
const here = () => context.getStore()

test('every listener runs in the context of its own call', async () => {
  const progress = new Set<unknown>()
  await using pipeline = await context.run('load', () =>
    Pipeline.load(smallModel, { threads: 1, onProgress: ({ phase }) => progress.add(`${phase} in ${here()}`) })
  )
  expect(progress).toEqual(new Set(['verify in load', 'load in load']))
  const calls = ['a', 'b'].map(async name => {
    const seen = new Set<unknown>()
    const hear = () => seen.add(here())
    await context.run(name, () => pipeline.generate({ ...QUICK, previews: 1, onStep: hear, onPreview: hear }))
    return [...seen]
  })
  expect(await Promise.all(calls)).toEqual([['a'], ['b']])
  const vary = new Set<unknown>()
  const pixels = { data: new Uint8Array(128 * 128 * 3), width: 128, height: 128 }
  await context.run('c', () => pipeline.vary(pixels, { priorSteps: 2, decoderSteps: 1, onStep: () => vary.add(here()) }))
  expect([...vary]).toEqual(['c'])
})

test('a stream: its listeners in the context of the call, its loop in that of the reader', () =>
  withPipeline(async pipeline => {
    const [heard, read] = [new Set<unknown>(), new Set<unknown>()]
    const stream = context.run('call', () => pipeline.stream({ ...QUICK, onStep: () => heard.add(here()) }))
    await context.run('reader', async () => {
      for await (const _ of stream) read.add(here())
    })
    expect([[...heard], [...read]]).toEqual([['call'], ['reader']])
  }))

const THROWN = [new TypeError('mine'), undefined, 'text']

test.each(['verify', 'load'] as const)('what onProgress throws in the phase %s is what load rejects with', async phase => {
  for (const thrown of THROWN) {
    for (const late of [false, true]) {
      const after: LoadProgress[] = []
      let has = false
      const fail = () => {
        has = true
        throw thrown
      }
      const onProgress = (progress: LoadProgress) => {
        if (has) after.push(progress)
        if (progress.phase !== phase || has) return undefined
        return late ? wait(1).then(fail) : fail()
      }
      const rejection = await Pipeline.load(smallModel, { threads: 1, onProgress }).then(
        () => 'loaded',
        (error: unknown) => [error]
      )
      expect(rejection).toEqual([thrown])
      expect((rejection as unknown[])[0]).toBe(thrown)
      expect(after).toEqual([])
    }
  }
})

test.each(['onStep', 'onPreview', 'onImage'] as const)('what %s throws is what the call rejects with, at once or later', name =>
  withPipeline(async pipeline => {
    for (const thrown of THROWN) {
      for (const late of [false, true]) {
        let calls = 0
        const listener = () => {
          calls++
          if (late) return wait(1).then(() => Promise.reject(thrown))
          throw thrown
        }
        const call = pipeline.generate({ ...QUICK, priorSteps: 200, previews: 100, [name]: listener })
        expect(
          await call.then(
            () => 'made',
            (error: unknown) => [error]
          )
        ).toEqual([thrown])
        expect(calls).toBeLessThan(late ? 100 : 2)
        const atEnd = calls
        while (pipeline.stats().running > 0) await wait(2)
        expect(calls).toBe(atEnd)
      }
    }
    expect((await pipeline.generate(QUICK)).images).toHaveLength(1)
  })
)

test.each(['onStep', 'onPreview', 'onImage'] as const)("what a stream's %s throws is what its loop throws", name =>
  withPipeline(async pipeline => {
    for (const thrown of THROWN) {
      const listener = () => {
        throw thrown
      }
      const events: string[] = []
      const reading = async () => {
        for await (const event of pipeline.stream({ ...QUICK, previews: 1, [name]: listener })) events.push(event.type)
      }
      expect(
        await reading().then(
          () => 'done',
          (error: unknown) => [error]
        )
      ).toEqual([thrown])
      expect(events).not.toContain('done')
    }
  })
)

test('an async listener of the last step is waited for', () =>
  withPipeline(async pipeline => {
    const ended: number[] = []
    await pipeline.generate({
      ...QUICK,
      onStep: async ({ step }) => {
        await wait(20)
        ended.push(step)
      }
    })
    expect(ended.length).toBeGreaterThanOrEqual(3)
    const last = pipeline.generate({
      ...QUICK,
      onStep: async ({ stage }) => {
        await wait(20)
        if (stage === 'decoder') throw new Error('late')
      }
    })
    await expect(last).rejects.toThrow('late')
  }))

// The call waits for its listener, and the engine has nothing left to do.
test('dispose does not wait for a listener that never ends', async () => {
  const pipeline = await Pipeline.load(smallModel, { threads: 1 })
  const ended = expect(pipeline.generate({ ...QUICK, onStep: () => new Promise(() => {}) })).rejects.toMatchObject({
    code: 'DISPOSED'
  })
  while (pipeline.stats().completed === 0) await wait(5)
  await pipeline.dispose()
  await ended
})
