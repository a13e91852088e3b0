import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expectSide, gridOf, latentOf, pixelsOf, validSides } from '../../lib/model/size.js'
import { LARGEST_SIDE } from '../../lib/options/sampling.js'

const PUBLISHED = { resolutionMultiple: 42.67, latentDimScale: 10.67 }

test("the published constants give the reference's grids", () => {
  // diffusers: ceil(1024 / 42.67) = 24, int(24 * 10.67) = 256.
  expect(gridOf(1024, PUBLISHED)).toBe(24)
  expect(latentOf(24, PUBLISHED)).toBe(256)
  expect(pixelsOf(24, PUBLISHED)).toBe(1024)
  expect(pixelsOf(4, PUBLISHED)).toBeUndefined()
})

test('the published constants allow the multiples of 128, and nothing else', () => {
  expect(validSides(PUBLISHED)).toEqual(Array.from({ length: LARGEST_SIDE / 128 }, (_, index) => 128 * (index + 1)))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: LARGEST_SIDE }), side => {
      try {
        return expectSide('width', side, PUBLISHED) === side && side % 128 === 0
      } catch {
        return side % 128 !== 0
      }
    })
  )
})

test('the error names the nearest sides', () => {
  expect(() => expectSide('width', 1000, PUBLISHED)).toThrow(
    'for width but received 1000 of type number. The nearest are 896 and 1024'
  )
  expect(() => expectSide('height', 100, PUBLISHED)).toThrow('The nearest is 128')
  expect(() => expectSide('height', 8191, PUBLISHED)).toThrow('The nearest are 8064 and 8192')
})

test.each([0, -128, 128.5, NaN, Infinity, 2 ** 53, '1024', null, undefined, 1024n, [1024]])('%s is no side', value => {
  expect(() => expectSide('width', value, PUBLISHED)).toThrow(/^Expected an integer from 1 to 8192 for width but received/)
})

test('other constants give other sides', () => {
  expect(validSides({ resolutionMultiple: 32, latentDimScale: 8 }).slice(0, 3)).toEqual([64, 128, 192])
  // A cell of 42.67 pixels is 42 latents of 4: only a decoder of few levels can be run on them.
  expect(pixelsOf(4, { ...PUBLISHED, latentUnit: 2 })).toBe(168)
  expect(validSides({ ...PUBLISHED, latentUnit: 64 }).slice(0, 2)).toEqual([256, 512])
  expect(validSides({ resolutionMultiple: 24, latentDimScale: 8, latentUnit: 4, pixelsPerLatent: 3 })[0]).toBe(24)
  // diffusers would give twice the size that was asked for.
  expect(validSides({ ...PUBLISHED, pixelsPerLatent: 8 })).toEqual([])
})
