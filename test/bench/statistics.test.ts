import { describe, expect, test } from 'vitest'
import { median, percentile, summarise } from '../../lib/bench/statistics.js'

const VALUES = [15, 20, 35, 40, 50, 3.5, 7, -2]

describe('percentiles', () => {
  // numpy.percentile(VALUES, [0, 10, 50, 90, 99, 100]), numpy 2.4
  test.each([
    [0, -2],
    [0.1, 1.85],
    [0.5, 17.5],
    [0.9, 43],
    [0.99, 49.3],
    [1, 50]
  ])('of eight values at %d', (share, expected) => {
    expect(
      percentile(
        [...VALUES].sort((a, b) => a - b),
        share
      )
    ).toBeCloseTo(expected, 10)
  })

  test('of one value are that value, of a hundred lie between two', () => {
    expect(percentile([7], 0.99)).toBe(7)
    expect(
      percentile(
        Array.from({ length: 100 }, (_, index) => index + 1),
        0.99
      )
    ).toBeCloseTo(99.01, 10)
  })
})

test('a summary does not depend on the order, and leaves the values as they were', () => {
  const values = [...VALUES]
  const summary = summarise(values)
  expect(values).toEqual(VALUES)
  expect(summary).toEqual(summarise([...VALUES].reverse()))
  expect(summary).toMatchObject({ samples: 8, min: -2, mean: 21.0625, p50: 17.5, max: 50 })
})

test.each([
  [[1, 2, 3, 4], 2.5],
  [[3, 1, 2], 2],
  [[10, 9], 9.5]
])('the median of %j', (values, expected) => {
  expect(median(values)).toBe(expected)
})
