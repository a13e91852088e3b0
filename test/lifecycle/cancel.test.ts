import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { GenerateResult } from '../../lib/index.js'
import { largest } from '../parity/reference.js'
import { QUICK, withPipeline } from '../support/small-model.js'

test('the event loop stays free while a picture is made', () =>
  withPipeline(async pipeline => {
    let turns = 0
    const timer = setInterval(() => {
      turns++
    }, 1)
    // Pictures one after another for half a second at least, however fast the machine is.
    const started = performance.now()
    let pictures = 0
    for (; performance.now() - started < 500; pictures++) {
      await pipeline.generate({ ...QUICK, width: 256, height: 256, priorSteps: 30, decoderSteps: 10 })
    }
    clearInterval(timer)
    // A loop that were blocked while a picture is made would turn once between two; pictures take a tenth of a second here.
    expect(turns).toBeGreaterThan(3 * pictures)
  }))

test('an abort rejects at once, the engine stops at its next step, and other runs go on undisturbed', () =>
  withPipeline(async pipeline => {
    const alone = await pipeline.generate({ ...QUICK, priorSteps: 20, seed: 5 })
    const controller = new AbortController()
    const reason = new Error('enough')
    let steps = 0
    const neighbour = pipeline.generate({ ...QUICK, priorSteps: 20, seed: 5 })
    const cancelled = pipeline.generate({
      ...QUICK,
      priorSteps: 500,
      seed: 6,
      signal: controller.signal,
      onStep: () => {
        if (++steps === 3) controller.abort(reason)
      }
    })
    await expect(cancelled).rejects.toBe(reason)
    expect(steps).toBe(3)
    const { images } = await neighbour
    expect(largest(images[0]!.data, alone.images[0]!.data)).toBeLessThanOrEqual(1)
    while (pipeline.stats().running > 0) await wait(5)
    expect(pipeline.stats()).toMatchObject({ running: 0, queued: 0, cancelled: 1, completed: 2, failed: 0 })
  }))

test('a timeout rejects within a step, also while many runs are queued', () =>
  withPipeline(
    async pipeline => {
      let steps = 0
      const runs = Array.from({ length: 4 }, (_, index) =>
        pipeline.generate({
          ...QUICK,
          priorSteps: 1000,
          seed: index,
          signal: AbortSignal.timeout(300),
          onStep: () => {
            steps++
          }
        })
      )
      const outcomes = await Promise.allSettled(runs)
      const atEnd = steps
      expect(outcomes.map(outcome => (outcome as PromiseRejectedResult).reason.name)).toEqual(new Array(4).fill('TimeoutError'))
      // What is still queued is counted as cancelled when its turn would have come.
      while (pipeline.stats().running + pipeline.stats().queued > 0) await wait(5)
      expect(steps).toBe(atEnd)
      expect(pipeline.stats()).toMatchObject({ running: 0, queued: 0, cancelled: 4 })
    },
    { maxBatch: 2 }
  ))

test('leaving a stream stops the work', () =>
  withPipeline(async pipeline => {
    const seen: string[] = []
    for await (const event of pipeline.stream({ ...QUICK, priorSteps: 1000 })) {
      seen.push(event.type)
      if (seen.length === 2) break
    }
    expect(seen).toEqual(['step', 'step'])
    while (pipeline.stats().running > 0) await wait(5)
    expect(pipeline.stats().cancelled).toBe(1)
  }))

test('fifty runs that overlap all end, whether finished or cancelled at random', () =>
  withPipeline(async pipeline => {
    let seed = 1
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
    const runs = Array.from({ length: 50 }, (_, index) => {
      const signal = random() < 0.5 ? AbortSignal.timeout(Math.floor(random() * 400)) : undefined
      return pipeline.generate({
        ...QUICK,
        seed: index,
        priorSteps: 1 + Math.floor(random() * 8),
        ...(signal === undefined ? {} : { signal })
      })
    })
    const outcomes = await Promise.allSettled<GenerateResult>(runs)
    const failures = outcomes.filter(outcome => outcome.status === 'rejected').map(outcome => outcome.reason.name)
    expect(new Set(failures).size).toBeLessThanOrEqual(1)
    expect(failures.every(name => name === 'TimeoutError')).toBe(true)
    expect(outcomes.length - failures.length).toBeGreaterThanOrEqual(10)
    // The same seed alone: a picture does not depend on its company by more than one step of 255.
    const index = outcomes.findIndex(outcome => outcome.status === 'fulfilled')
    const parameters = (outcomes[index] as PromiseFulfilledResult<GenerateResult>).value.images[0]!
    const alone = await pipeline.generate({
      ...QUICK,
      seed: index,
      priorSteps: undefined,
      priorTimesteps: parameters.parameters.priorTimesteps!
    } as never)
    expect(largest(alone.images[0]!.data, parameters.data)).toBeLessThanOrEqual(1)
  }))
