import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ownersOf, readTrace, timesOf } from '../../../bench/fleet/arrivals.mjs'
import { DEFAULT_STEPS, paceOf, readKinds, secondsOf } from '../../../bench/fleet/kinds.mjs'
import { fit, loadOf, readQueueLoad, reportsOf } from '../../../bench/fleet/load.mjs'
import { randomOf } from '../../../bench/fleet/random.mjs'
import { Scaler } from '../../../bench/fleet/scaler.mjs'
import { withDirectory } from '../../support/small-model.js'

/** @param {Generator<number>} times @param {number} until */
function countsBySecond(times, until) {
  const counts = Array(until).fill(0)
  for (const time of times) {
    if (time >= until) return counts
    counts[Math.floor(time)]++
  }
  return counts
}

/** The variance of the counts by their mean: 1 for a Poisson process. @param {number[]} counts */
function dispersion(counts) {
  const average = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - average) ** 2, 0) / counts.length / average
}

test.each(/** @type {const} */ (['poisson', 'bursty', 'diurnal']))(
  'arrivals of the pattern %s have the rate that was asked for',
  pattern => {
    const counts = countsBySecond(timesOf(pattern, 5, randomOf(1), 1000), 100_000)
    // The counts of bursts follow each other: their mean over 333 bursts has a standard error of 4 %. Three of them.
    expect(Math.abs(counts.reduce((sum, count) => sum + count, 0) / 500_000 - 1)).toBeLessThan(pattern === 'bursty' ? 0.12 : 0.01)
  }
)

test('counts of a second vary as a Poisson process has it, and more in bursts', () => {
  // Standard error: the square root of 2 / 20,000, which is 0.01.
  expect(Math.abs(dispersion(countsBySecond(timesOf('poisson', 5, randomOf(2)), 20_000)) - 1)).toBeLessThan(0.05)
  // Of 20 and 1.25 a second by turns: 1 + variance of the rate / mean = 1 + (0.2 · 15² + 0.8 · 3.75²) / 5 = 12.25.
  expect(dispersion(countsBySecond(timesOf('bursty', 5, randomOf(2)), 100_000))).toBeGreaterThan(9)
})

test('a day has its lowest rate at the beginning and four times that in the middle', () => {
  const counts = countsBySecond(timesOf('diurnal', 100, randomOf(3), 1000), 1000)
  const around = (/** @type {number} */ from) => counts.slice(from, from + 100).reduce((sum, count) => sum + count, 0)
  expect(around(450) / around(0)).toBeGreaterThan(3)
})

test('skewed keys ask as the inverse of their place', () => {
  const owner = ownersOf(10, true, randomOf(4))
  /** @type {Record<string, number>} */
  const counts = {}
  for (let index = 0; index < 20_000; index++) counts[owner()] = (counts[owner()] ?? 0) + 1
  expect(Object.keys(counts)).toHaveLength(10)
  // 1 / (1 + 1/2 + … + 1/10) of all.
  const names = Array.from({ length: 20_000 }, owner)
  expect(names.filter(name => name === 'key-0').length / 20_000).toBeCloseTo(1 / 2.928968, 1)
  expect(names.filter(name => name === 'key-9').length / 20_000).toBeCloseTo(0.1 / 2.928968, 1)
})

test('a trace is read in the order of its times, and what is no request is refused', () =>
  withDirectory(async directory => {
    const file = join(directory, 'trace.jsonl')
    writeFileSync(file, '{"at": 2, "owner": "bob", "images": 2}\n\n{"at": 1, "priorSteps": 8, "decoderSteps": 4, "area": 4}\n')
    expect(readTrace(file, DEFAULT_STEPS)).toEqual([
      { at: 1, owner: 'key-0', images: 1, priorSteps: 8, decoderSteps: 4, area: 4, cost: (4 * 12) / 41 },
      { at: 2, owner: 'bob', images: 2, ...DEFAULT_STEPS, area: 1, cost: 2 }
    ])
    writeFileSync(file, '{"at": 0}\n{"at": -1}\n')
    expect(() => readTrace(file, DEFAULT_STEPS)).toThrow('Expected a request for line 2')
  }))

test('between two measured batches times are on the line through both, beyond the last in proportion', () => {
  const curve = { 1: 10, 2: 12, 4: 20 }
  expect([1, 2, 3, 4, 8].map(images => secondsOf(curve, images))).toEqual([10, 12, 16, 20, 40])
})

test('each kind of machine says what was measured or assumed, and whose price it has', () => {
  for (const [name, kind] of Object.entries(readKinds())) {
    const { measured, assumed, priceSource } = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (kind))
    expect([name, typeof (measured ?? assumed), typeof priceSource]).toEqual([name, 'string', 'string'])
  }
  // 29 steps of 9.2 s and 12 of 11.7 s, Stage A and what is done once: docs/performance.md.
  expect(1 / paceOf(/** @type {import('../../../bench/fleet/kinds.mjs').Kind} */ (readKinds().cpu))).toBeCloseTo(419.13, 2)
})

test('workers are wanted by the signal, and sent away when that has held for long enough', () => {
  const scaling = { targetSeconds: 60, least: 1, most: 10, pollSeconds: 15, startUpSeconds: 60, calmSeconds: 300 }
  const scaler = new Scaler({ ...scaling, signal: 'waiting' })
  expect([0, 61, 6000, 0].map((load, index) => scaler.wanted(15 * index, load, 500))).toEqual([1, 2, 10, 10])
  expect(scaler.wanted(331, 0, 500)).toBe(1)
  expect(new Scaler({ ...scaling, signal: 'waiting and running' }).wanted(0, 0, 500)).toBe(9)
})

test('a fit finds the terms of what is made of them, and none below nothing', () => {
  const rows = [
    [1, 1],
    [1, 4],
    [1, 8],
    [1, 20]
  ]
  const [a, b] = /** @type {[number, number]} */ (
    fit(
      rows,
      rows.map(([, x]) => 3 + 2 * /** @type {number} */ (x))
    )
  )
  expect(a).toBeCloseTo(3, 6)
  expect(b).toBeCloseTo(2, 6)
  expect(fit(rows, [10, 9, 9, 9])[1]).toBe(0)
})

test.each([
  ['next to no time', 41, 0.1, 1],
  ['0.41 s', 41, 0.41, 3],
  ['slow steps', 41, 3000, 40],
  ['one step, which is told with its image', 1, 10, 0]
])(
  'a job of %s tells of its steps as often as the first one, each 200 ms and no last one make it',
  (_, steps, seconds, reports) => {
    expect(reportsOf(steps, seconds)).toBe(reports)
  }
)

test('what a queue is said to do is what was measured of it', () => {
  const { points } = readQueueLoad()
  const load = loadOf(points)
  for (const point of points) {
    const idle = load({ ...point, jobs: 0 })
    const job = load({ ...point, jobs: 1 })
    expect(idle.commands / point.idle.commands).toBeCloseTo(1, 0)
    expect(Math.abs((job.commands - idle.commands) / point.job.commands - 1)).toBeLessThan(0.2)
  }
})
