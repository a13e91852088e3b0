import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timestepOf, timestepsFrom } from '../../lib/plan/strength.js'

const PUBLISHED = { scaler: 1, s: 0.008 }

/** ᾱ(t) as diffusers 0.42.1 has it (DDPMWuerstchenScheduler._alpha_cumprod), without its clamp. */
function alphaCumprod(t: number, { scaler, s }: typeof PUBLISHED): number {
  const scaled = scaler > 1 ? 1 - (1 - t) ** scaler : scaler < 1 ? t ** scaler : t
  return Math.cos((((scaled + s) / (1 + s)) * Math.PI) / 2) ** 2 / Math.cos(((s / (1 + s)) * Math.PI) / 2) ** 2
}

const noiseRatio = (t: number, scheduler: typeof PUBLISHED) =>
  Math.sqrt((1 - alphaCumprod(t, scheduler)) / alphaCumprod(t, scheduler))

describe('a strength is a ratio of noise to spread', () => {
  test.each([PUBLISHED, { scaler: 2, s: 0.008 }, { scaler: 0.5, s: 0.008 }, { scaler: 1, s: 0.05 }])(
    'in the schedule %o',
    scheduler => {
      fc.assert(
        fc.property(
          fc.double({ min: 0.05, max: 0.95, noNaN: true }),
          fc.double({ min: 0.2, max: 3, noNaN: true }),
          (strength, spread) => {
            const wanted = Math.tan((strength * Math.PI) / 2) * spread
            const t = timestepOf(strength, spread, scheduler)
            expect(t).toBeGreaterThan(0)
            expect(t).toBeLessThanOrEqual(1)
            // The inverse of a cosine is steep at its ends: 1e-6 relative is float64 with a few digits lost.
            expect(Math.abs(noiseRatio(t, scheduler) / wanted - 1)).toBeLessThan(1e-6)
          }
        )
      )
    }
  )

  test('so that with a spread of 1 it is the timestep itself', () => {
    for (let strength = 0.05; strength < 1; strength += 0.05) {
      // s moves the schedule's start by 0.008, and nothing at its end.
      expect(Math.abs(timestepOf(strength, 1, PUBLISHED) - strength)).toBeLessThan(0.008)
    }
  })

  test('and a small spread needs a small timestep', () => {
    // std(e) = 1 is a spread of 1/42 in the space where the noise is added: t = 0.01 is then a ratio of 1.1, 0.1 one of 7.1.
    for (const [t, ratio] of [
      [0.01, 1.1],
      [0.1, 7.1]
    ] as const) {
      // The ratios are rounded to one digit.
      expect(Math.abs(timestepOf(Math.atan(ratio) / (Math.PI / 2), 1 / 42, PUBLISHED) / t - 1)).toBeLessThan(0.1)
    }
    expect(noiseRatio(timestepOf(0.75, 1 / 42, PUBLISHED), PUBLISHED) * 42).toBeCloseTo(Math.tan((0.75 * Math.PI) / 2), 6)
  })

  test("never below the schedule's smallest noise, and all noise at 1", () => {
    const least = timestepOf(1e-9, 1, PUBLISHED)
    expect(alphaCumprod(least, PUBLISHED)).toBeCloseTo(0.9999, 10)
    expect(timestepOf(0, 1, PUBLISHED)).toBe(least)
    expect([timestepOf(1, 1, PUBLISHED), timestepOf(1, 1e-3, PUBLISHED), timestepOf(0.9999, 1, PUBLISHED)]).toEqual([1, 1, 1])
  })

  test('more strength is a later timestep', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        if (a <= b) expect(timestepOf(a, 1, PUBLISHED)).toBeLessThanOrEqual(timestepOf(b, 1, PUBLISHED))
      })
    )
  })
})

test("steps are the strength's share of all, at least one, and equally far apart down to 0", () => {
  expect(timestepsFrom(0.5, 1, PUBLISHED, 29)).toHaveLength(16)
  expect(timestepsFrom(0.01, 1, PUBLISHED, 29)).toHaveLength(2)
  expect(timestepsFrom(0, 1, PUBLISHED, 29)).toHaveLength(2)
  const all = timestepsFrom(1, 1, PUBLISHED, 4)
  expect([...all]).toEqual([1, 0.75, 0.5, 0.25, 0])
})
