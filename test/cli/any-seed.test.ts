import { expect, test } from 'vitest'
import { callOptions } from '../../lib/cli/flags.js'

test('a seed of -1 is a drawn one, alone and in lists', () => {
  const drawn = (flags: object) => callOptions<{ seed?: number; seeds?: number[] }>('generate', flags)
  const seeds = Array.from({ length: 3 }, () => drawn({ seed: -1 }).seed!)
  expect(seeds.every(seed => Number.isInteger(seed) && seed >= 0)).toBe(true)
  expect(new Set(seeds).size).toBe(3)
  expect(drawn({ seeds: [5, -1] }).seeds).toEqual([5, expect.any(Number)])
  expect(drawn({ seeds: [5, -1] }).seeds![1]).toBeGreaterThanOrEqual(0)
  expect(drawn({ seed: 7, prompts: 'x' })).toEqual({ seed: 7 })
})
