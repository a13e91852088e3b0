import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wishOf } from '../../../bench/fleet/arrivals.mjs'
import { Clock } from '../../../bench/fleet/clock.mjs'
import { Engine } from '../../../bench/fleet/engine.mjs'
import { byKey, simulate } from '../../../bench/fleet/fleet.mjs'
import { DEFAULT_STEPS } from '../../../bench/fleet/kinds.mjs'
import { Lanes } from '../../../bench/fleet/lanes.mjs'
import { randomOf } from '../../../bench/fleet/random.mjs'
import { FairQueue } from '../../../lib/server/jobs/fair-queue.js'

/** @import { Kind } from '../../../bench/fleet/kinds.mjs' */

/** @type {Kind} */
const KIND = {
  ...{ prior: { 1: 1, 2: 1.5, 4: 2 }, decoder: { 1: 2, 2: 3, 4: 5 }, pixels: 1, once: 0, maxBatch: 4, maxRunningImages: 8 },
  price: 3.6
}

/** @param {Partial<import('../../../bench/fleet/arrivals.mjs').Wish>} [given] */
const wish = given => wishOf({ at: 0, owner: 'ann', images: 1, priorSteps: 2, decoderSteps: 1, ...given }, DEFAULT_STEPS)

test('what waits is taken in the order of the fair queue of servers', () => {
  const owner = fc.constantFrom('ann', 'bob', 'eve', 'kim')
  const act = fc.oneof(fc.record({ owner, cost: fc.integer({ min: 1, max: 9 }) }), fc.constant('take'))
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), acts => {
      const [lanes, queue] = [new Lanes(), new FairQueue()]
      /** @type {Map<unknown, number>} */
      const passes = new Map()
      for (const [index, each] of acts.entries()) {
        if (typeof each === 'object') {
          const job = { ...each, priority: 0, index }
          lanes.push(job)
          queue.push(job)
        } else {
          // Of owners with equal passes, either may be first: only what each owner has had must agree.
          const [left, right] = [lanes.take(), queue.take()]
          expect(left === undefined).toBe(right === undefined)
          for (const [job, by] of /** @type {const} */ ([
            [left, 1],
            [right, -1]
          ]))
            if (job !== undefined) passes.set(job.owner, (passes.get(job.owner) ?? 0) + by * job.cost)
        }
      }
      expect(lanes.size).toBe(queue.size)
      for (const owner of ['ann', 'bob', 'eve', 'kim']) expect(Math.abs(passes.get(owner) ?? 0)).toBeLessThanOrEqual(9)
    })
  )
})

test('a key with five jobs waits for one job of the other key before each of them', () => {
  const many = Array.from({ length: 1000 }, () => wish({ owner: 'many' }))
  const few = Array.from({ length: 5 }, () => wish({ at: 0.5, owner: 'few' }))
  const alone = { ...KIND, maxBatch: 1, maxRunningImages: 1 }
  const { done } = simulate({ kind: alone, workers: 1, seed: 1, wishes: [...many, ...few] })
  // A job takes two steps of 1 s, one of 2 s and 1 s of pixels.
  const latest = Math.max(...done.filter(({ owner }) => owner === 'few').map(({ wait }) => wait))
  expect(latest).toBeLessThanOrEqual(10 * 5)
  expect(done).toHaveLength(1005)
})

test('images in one stage share turns, and Stage A takes one after another', () => {
  const clock = new Clock()
  const engine = new Engine(clock, KIND)
  /** @type {number[]} */
  const ends = []
  engine.submit(wish({ images: 2 }), () => ends.push(clock.now))
  clock.run(() => false)
  // The first image takes its turn when it comes; both of a job come at once: 2 × 1.5, 3, 2 × 1.
  expect(ends).toEqual([8])
  expect(engine).toMatchObject({ busy: 8, steps: 6, runs: 3 })
})

test('a job that comes joins at the next turn, and a size of its own takes turns of its own', () => {
  const ends = (/** @type {number} */ area) => {
    const clock = new Clock()
    const engine = new Engine(clock, KIND)
    /** @type {number[]} */
    const times = []
    engine.submit(wish({}), () => times.push(clock.now))
    clock.after(0.5, () => engine.submit(wish({ area }), () => times.push(clock.now)))
    clock.run(() => false)
    return times
  }
  // 1 alone, 1.5 together, then the first has fewer steps left: 2 and 1; then the second: 1, 2 and 1.
  expect(ends(1)).toEqual([5.5, 9.5])
  expect(ends(2)).toEqual([5, 15])
})

test('workers that end lose no job: each is made once, or fails when it has ended two of them', () => {
  const random = randomOf(3)
  const wishes = Array.from({ length: 3000 }, (_, index) => wish({ at: index, owner: `key-${random.below(5)}` }))
  const result = simulate({
    ...{ kind: KIND, workers: 8, seed: 4, wishes },
    failures: { mtbfSeconds: 120, repairSeconds: 20, takeOverSeconds: [30, 40] }
  })
  expect(result.workersEnded).toBeGreaterThan(100)
  expect(result.takenOver).toBeGreaterThan(100)
  expect(result.failed).toBeGreaterThan(0)
  expect(result.finished + result.failed).toBe(3000)
  expect(new Set(result.done.map(({ at }) => at)).size).toBe(result.finished)
})

test('what a machine costs counts from its start, and a thousand pictures their share', () => {
  const { machineHours, costOfThousand, seconds } = simulate({ kind: KIND, workers: 2, seed: 1, wishes: [wish({}), wish({})] })
  expect(machineHours).toBeCloseTo((2 * seconds) / 3600, 12)
  expect(costOfThousand).toBeCloseTo((2 * seconds * 3.6 * 1000) / 3600 / 2, 9)
})

test('cells share nothing, and a key stays in its own', () => {
  const wishes = Array.from({ length: 400 }, (_, index) => wish({ at: index / 100, owner: `key-${index % 40}` }))
  const { done } = simulate({ kind: KIND, workers: 8, cells: 4, seed: 1, wishes })
  expect(done).toHaveLength(400)
  expect(new Set(Array.from({ length: 40 }, (_, key) => byKey(wish({ owner: `key-${key}` })) % 4)).size).toBe(4)
  // FNV-1a of its authors' test vectors.
  expect(byKey(wish({ owner: 'foobar' }))).toBe(0xbf9cf968)
})
