import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { withEventLoopDelay } from '../../lib/bench/event-loop.js'
import type { GenerateResult } from '../../lib/index.js'
import { largest } from '../parity/reference.js'
import { QUICK, withPipeline } from '../support/small-model.js'

test('the event loop stays free while pictures are made', () =>
  withPipeline(async pipeline => {
    const p99s: number[] = []
    // On a busy machine others take the processor away. What blocks the loop itself, blocks it in every round.
    for (let round = 0; round < 5 && !p99s.some(p99 => p99 < 20); round++) {
      const { delay } = await withEventLoopDelay(async () => {
        for (const started = performance.now(); performance.now() - started < 400; )
          await pipeline.generate({ ...QUICK, width: 256, height: 256, priorSteps: 30, decoderSteps: 10 })
      })
      expect(delay.samples).toBeGreaterThan(5)
      // Blocks of 20 ms one after another would make 20 ms the median; a picture's own events take far less.
      p99s.push(Math.max(delay.p99, 4 * delay.p50))
    }
    expect(Math.min(...p99s)).toBeLessThan(20)
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

test('after an abort at any moment the engine takes no step but the one under way', () =>
  withPipeline(async pipeline => {
    const runs = () => Object.values(pipeline.stats().stages).reduce((sum, stage) => sum + stage.runs, 0)
    for (let moment = 1; moment <= 20; moment++) {
      const controller = new AbortController()
      let [steps, atAbort] = [0, 0]
      const cancelled = pipeline.generate({
        ...QUICK,
        priorSteps: moment % 2 === 0 ? 400 : 1,
        decoderSteps: 400,
        signal: controller.signal,
        onStep: () => {
          if (++steps !== moment) return
          atAbort = runs()
          controller.abort('enough')
        }
      })
      await expect(cancelled).rejects.toBe('enough')
      while (pipeline.stats().running > 0) await wait(1)
      // The step that was being counted when the numbers were read, and the one that was under way.
      expect(runs() - atAbort, `an abort at step ${moment}`).toBeLessThanOrEqual(2)
    }
    expect(pipeline.stats()).toMatchObject({ cancelled: 20, completed: 0, failed: 0 })
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

test('fifty runs that overlap all end: those that are given up with their own reason, the others with their picture', () =>
  withPipeline(async pipeline => {
    let seed = 1
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
    /** At which of its own steps a run is given up; 0 before it is made, undefined not at all. */
    const givenUpAt = Array.from({ length: 50 }, () => (random() < 0.5 ? Math.floor(random() * 4) : undefined))
    const stepsOf = givenUpAt.map(() => 5 + Math.floor(random() * 8))
    const runs = givenUpAt.map((at, index) => {
      const controller = new AbortController()
      let steps = 0
      if (at === 0) controller.abort(index)
      return pipeline.generate({
        ...QUICK,
        seed: index,
        priorSteps: stepsOf[index]!,
        signal: controller.signal,
        onStep: () => {
          if (++steps === at) controller.abort(index)
        }
      })
    })
    const outcomes = await Promise.allSettled<GenerateResult>(runs)
    expect(outcomes.map(outcome => (outcome.status === 'rejected' ? (outcome.reason as unknown) : 'made'))).toEqual(
      givenUpAt.map((at, index) => (at === undefined ? 'made' : index))
    )
    while (pipeline.stats().running + pipeline.stats().queued > 0) await wait(5)
    const begun = givenUpAt.filter(at => at !== undefined && at > 0).length
    expect(begun).toBeGreaterThan(10)
    expect(pipeline.stats()).toMatchObject({
      cancelled: begun,
      completed: givenUpAt.filter(at => at === undefined).length,
      failed: 0
    })
    // The same seed alone: a picture does not depend on its company by more than one step of 255.
    for (const index of [givenUpAt.indexOf(undefined), givenUpAt.lastIndexOf(undefined)]) {
      const alone = await pipeline.generate({ ...QUICK, seed: index, priorSteps: stepsOf[index]! })
      const among = (outcomes[index] as PromiseFulfilledResult<GenerateResult>).value
      expect(largest(alone.images[0]!.data, among.images[0]!.data)).toBeLessThanOrEqual(1)
    }
  }))
