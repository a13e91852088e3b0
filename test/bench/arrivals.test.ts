import { expect, test } from 'vitest'
import { poissonArrivals } from '../../lib/bench/arrivals.js'

test('arrivals begin at once, ascend, and come again with the same seed', () => {
  const arrivals = poissonArrivals(2, 50, 7)
  expect(arrivals).toHaveLength(50)
  expect(arrivals[0]).toBe(0)
  expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b))
  expect(poissonArrivals(2, 50, 7)).toEqual(arrivals)
  expect(poissonArrivals(2, 50, 8)).not.toEqual(arrivals)
})

test('gaps have the mean and the spread of an exponential distribution', () => {
  const arrivals = poissonArrivals(4, 20_001, 1)
  const gaps = arrivals.slice(1).map((time, index) => time - arrivals[index]!)
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
  // 250 ms each; the standard error of 20,000 gaps is 0.7 % for the mean and about 1 % for the deviation: five of them.
  expect(mean).toBeGreaterThan(241)
  expect(mean).toBeLessThan(259)
  expect(deviation).toBeGreaterThan(237)
  expect(deviation).toBeLessThan(263)
})
