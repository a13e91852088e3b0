import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { GenerateResult } from '../../lib/index.js'
import { largest } from '../parity/reference.js'
import { QUICK, withPipeline } from '../support/small-model.js'

test('the event loop stays free while a picture is made', () => withPipeline(async pipeline => {
  let turns = 0
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    turns++
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 1)
  // Pictures one after another for half a second at least, however fast the machine is.
  const started = performance.now()
  let elapsed = 0
  while ((elapsed = performance.now() - started) < 500) {
    await pipeline.generate({ ...QUICK, width: 256, height: 256, priorSteps: 30, decoderSteps: 10 })
  }
  clearInterval(timer)
  // A blocked loop would turn a handful of times; the share leaves room for machines that are busy with other things.
  expect(turns).toBeGreaterThan(elapsed / 20)
  expect(longest).toBeLessThan(elapsed / 2)
}))

test('an abort rejects at once, the engine stops at its next step, and other runs go on undisturbed', () => withPipeline(async pipeline => {
  const alone = await pipeline.generate({ ...QUICK, priorSteps: 20, seed: 5 })
  const controller = new AbortController()
  const reason = new Error('enough')
  let steps = 0
  const neighbour = pipeline.generate({ ...QUICK, priorSteps: 20, seed: 5 })
  const cancelled = pipeline.generate({ ...QUICK, priorSteps: 500, seed: 6, signal: controller.signal,
    onStep: () => { if (++steps === 3) controller.abort(reason) } })
  await expect(cancelled).rejects.toBe(reason)
  expect(steps).toBe(3)
  const { images } = await neighbour
  expect(largest(images[0]!.data, alone.images[0]!.data)).toBeLessThanOrEqual(1)
  const started = performance.now()
  while (pipeline.stats().running > 0 && performance.now() - started < 5000) await wait(5)
  expect(pipeline.stats()).toMatchObject({ running: 0, queued: 0, cancelled: 1, completed: 2, failed: 0 })
}))

test('a timeout rejects within a step, also while many runs are queued', () => withPipeline(async pipeline => {
  const runs = Array.from({ length: 4 }, (_, index) => pipeline.generate({ ...QUICK, priorSteps: 1000, seed: index, signal: AbortSignal.timeout(300) }))
  const started = performance.now()
  const outcomes = await Promise.allSettled(runs)
  expect(outcomes.map(outcome => (outcome as PromiseRejectedResult).reason.name)).toEqual(new Array(4).fill('TimeoutError'))
  // 300 ms of waiting; a step takes some 10 ms here, 1,000 of them many seconds.
  expect(performance.now() - started).toBeLessThan(1500)
}, { maxBatch: 2 }))

test('leaving a stream stops the work', () => withPipeline(async pipeline => {
  const seen: string[] = []
  for await (const event of pipeline.stream({ ...QUICK, priorSteps: 1000 })) {
    seen.push(event.type)
    if (seen.length === 2) break
  }
  expect(seen).toEqual(['step', 'step'])
  while (pipeline.stats().running > 0) await wait(5)
  expect(pipeline.stats().cancelled).toBe(1)
}))

test('fifty runs that overlap all end, whether finished or cancelled at random', () => withPipeline(async pipeline => {
  let seed = 1
  const random = () => (seed = seed * 48271 % 2147483647) / 2147483647
  const runs = Array.from({ length: 50 }, (_, index) => {
    const signal = random() < 0.5 ? AbortSignal.timeout(Math.floor(random() * 400)) : undefined
    return pipeline.generate({ ...QUICK, seed: index, priorSteps: 1 + Math.floor(random() * 8), ...(signal === undefined ? {} : { signal }) })
  })
  const outcomes = await Promise.allSettled<GenerateResult>(runs)
  const failures = outcomes.filter(outcome => outcome.status === 'rejected').map(outcome => outcome.reason.name)
  expect(new Set(failures).size).toBeLessThanOrEqual(1)
  expect(failures.every(name => name === 'TimeoutError')).toBe(true)
  expect(outcomes.length - failures.length).toBeGreaterThanOrEqual(10)
  // The same seed alone: a picture does not depend on its company by more than one step of 255.
  const index = outcomes.findIndex(outcome => outcome.status === 'fulfilled')
  const parameters = (outcomes[index] as PromiseFulfilledResult<GenerateResult>).value.images[0]!
  const alone = await pipeline.generate({ ...QUICK, seed: index, priorSteps: undefined, priorTimesteps: parameters.parameters.priorTimesteps! } as never)
  expect(largest(alone.images[0]!.data, parameters.data)).toBeLessThanOrEqual(1)
}))
