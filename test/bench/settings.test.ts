import { expect, test } from 'vitest'
import { settingsOf, type GivenSettings } from '../../lib/bench/settings.js'

test('the quick settings have few calls, the full ones enough for percentiles; what is given counts more', () => {
  expect(settingsOf({}).runs).toBeLessThan(settingsOf({ full: true }).runs)
  expect(settingsOf({ full: true, runs: 2 })).toMatchObject({ runs: 2, requests: 100 })
  expect(settingsOf({ prompt: 'a cat', width: 256 }).sampling).toEqual({ prompt: 'a cat', width: 256 })
})

test('batch sizes ascend, each once', () => {
  expect(settingsOf({ batchSizes: [4, 1, 4, 2] }).batchSizes).toEqual([1, 2, 4])
})

test.each<[GivenSettings, string]>([
  [{ runs: 0 }, '--runs'],
  [{ warmUp: -1 }, '--warm-up'],
  [{ batchSizes: [] }, '--batch-sizes'],
  [{ batchSizes: [1.5] }, '--batch-sizes'],
  [{ clients: [0] }, '--clients'],
  [{ requests: Number.NaN }, '--requests'],
  [{ rate: 0 }, '--rate'],
  [{ coldStarts: 0 }, '--cold-starts'],
  [{ seed: -1 }, '--seed'],
  [{ measures: ['speed' as 'latency'] }, '--measures'],
  [{ measures: [] }, '--measures']
])('%j is refused', (given, name) => {
  expect(() => settingsOf(given)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(`for ${name} but received`) })
  )
})
