import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FairQueue, MOST_OVERTAKEN, type Waiting } from '../../../lib/server/jobs/fair-queue.js'

const item = (owner: string, { priority = 0, cost = 1 }: Partial<Waiting> = {}) => ({ owner, priority, cost })
const drain = <T extends Waiting>(queue: FairQueue<T>) => Array.from({ length: queue.size }, () => queue.take()!)

describe('a fair queue', () => {
  test('gives one owner its jobs in the order in which they came', () => {
    const queue = new FairQueue<Waiting>()
    const items = [item('a'), item('a'), item('a')]
    items.forEach(each => queue.push(each))
    expect(drain(queue)).toEqual(items)
    expect(queue.take()).toBeUndefined()
  })

  test('lets owners take turns, however many jobs each has', () => {
    const queue = new FairQueue<Waiting>()
    for (let index = 0; index < 10; index++) queue.push(item('many'))
    queue.push(item('few'))
    queue.push(item('few'))
    expect(
      drain(queue)
        .slice(0, 4)
        .map(({ owner }) => owner)
    ).toEqual(['many', 'few', 'many', 'few'])
  })

  test('counts pictures, not jobs', () => {
    const queue = new FairQueue<Waiting>()
    for (let index = 0; index < 2; index++) queue.push(item('large', { cost: 4 }))
    for (let index = 0; index < 8; index++) queue.push(item('small'))
    expect(
      drain(queue)
        .slice(0, 6)
        .map(({ owner }) => owner)
    ).toEqual(['large', 'small', 'small', 'small', 'small', 'large'])
  })

  test("moves a priority ahead of its owner's own jobs alone", () => {
    const queue = new FairQueue<Waiting>()
    queue.push(item('a'))
    queue.push(item('b'))
    queue.push(item('a', { priority: -1 }))
    queue.push(item('a', { priority: 1 }))
    expect(drain(queue)).toEqual([item('a', { priority: 1 }), item('b'), item('a'), item('a', { priority: -1 })])
  })

  test('lets a low priority wait for a bounded number of later jobs, however many higher ones come', () => {
    const queue = new FairQueue<Waiting>()
    const low = item('a', { priority: -1 })
    queue.push(low)
    let served = 0
    for (let taken; taken !== low; served++) {
      queue.push(item('a', { priority: 1 }))
      queue.push(item('a'))
      taken = queue.take()
    }
    // The job itself, and those that overtook it.
    expect(served).toBe(MOST_OVERTAKEN + 1)
  })

  test('lets no job be overtaken more often than that, in whatever order priorities come', () => {
    const waiting = fc.record({
      owner: fc.constantFrom('a', 'b'),
      priority: fc.integer({ min: -1, max: 1 }),
      cost: fc.constant(1),
      take: fc.boolean()
    })
    fc.assert(
      fc.property(fc.array(waiting, { maxLength: 200 }), items => {
        const queue = new FairQueue<Waiting>()
        const arrived: Waiting[] = []
        const started: Waiting[] = []
        const take = () => started.push(queue.take()!)
        for (const each of items) {
          arrived.push(each)
          queue.push(each)
          if (each.take) take()
        }
        while (queue.size > 0) take()
        for (const each of started) {
          const before = started.slice(0, started.indexOf(each)).filter(({ owner }) => owner === each.owner)
          const overtakers = before.filter(other => arrived.indexOf(other) > arrived.indexOf(each))
          expect(overtakers.length).toBeLessThanOrEqual(MOST_OVERTAKEN)
          expect(overtakers.every(({ priority }) => priority > each.priority)).toBe(true)
        }
      })
    )
  })

  test('does not serve an owner first who comes back again and again', () => {
    const queue = new FairQueue<Waiting>()
    for (let index = 0; index < 6; index++) queue.push(item('patient'))
    const served: string[] = []
    for (let round = 0; round < 6; round++) {
      if (queue.sizeOf('returning') === 0) queue.push(item('returning'))
      served.push(queue.take()!.owner)
    }
    expect(served.filter(owner => owner === 'patient')).toHaveLength(3)
  })

  test('gives an owner who was away no credit for it', () => {
    const queue = new FairQueue<Waiting>()
    for (let index = 0; index < 50; index++) queue.push(item('busy'))
    for (let index = 0; index < 40; index++) queue.take()
    for (let index = 0; index < 10; index++) queue.push(item('late'))
    expect(
      drain(queue)
        .slice(0, 4)
        .map(({ owner }) => owner)
        .sort()
    ).toEqual(['busy', 'busy', 'late', 'late'])
  })

  test('takes what was removed no more', () => {
    const queue = new FairQueue<Waiting>()
    const [first, second] = [item('a'), item('a')]
    queue.push(first)
    queue.push(second)
    expect(queue.remove(first)).toBe(true)
    expect(queue.remove(first)).toBe(false)
    expect([queue.size, queue.take()]).toEqual([1, second])
  })

  test('foretells the order in which it will be taken, and loses nothing', () => {
    const waiting = fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      priority: fc.integer({ min: -1, max: 1 }),
      cost: fc.integer({ min: 1, max: 5 })
    })
    fc.assert(
      fc.property(fc.array(waiting, { maxLength: 30 }), fc.nat(30), (items, taken) => {
        const queue = new FairQueue<Waiting>()
        items.slice(0, taken).forEach(each => queue.push(each))
        for (let index = 0; index < taken / 2; index++) queue.take()
        const before = queue.size
        items.slice(taken).forEach(each => queue.push(each))
        const foretold = [...queue.order()]
        expect(foretold).toHaveLength(before + items.slice(taken).length)
        expect(drain(queue)).toEqual(foretold)
      })
    )
  })

  test("starts no owner's job later than its fair share allows", () => {
    const waiting = fc.record({
      owner: fc.constantFrom('a', 'b', 'c', 'd'),
      priority: fc.constant(0),
      cost: fc.integer({ min: 1, max: 5 })
    })
    fc.assert(
      fc.property(fc.array(waiting, { maxLength: 60 }), items => {
        const queue = new FairQueue<Waiting>()
        items.forEach(each => queue.push(each))
        // While two owners both have something waiting, what they got differs by no more than one job of the largest size.
        const got = new Map<string, number>()
        while (queue.size > 0) {
          const open = ['a', 'b', 'c', 'd'].filter(owner => queue.sizeOf(owner) > 0).map(owner => got.get(owner) ?? 0)
          expect(Math.max(...open) - Math.min(...open)).toBeLessThanOrEqual(5)
          const next = queue.take()!
          got.set(next.owner, (got.get(next.owner) ?? 0) + next.cost)
        }
      })
    )
  })
})
