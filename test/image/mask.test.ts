import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blendMask, composite, gridMask } from '../../lib/image/mask.js'

/** width · height bytes from a function of x and y. */
const paint = (width: number, height: number, value: (x: number, y: number) => number) =>
  Uint8Array.from({ length: width * height }, (_, index) => value(index % width, Math.floor(index / width)))

const bytes = (width: number, height: number) => fc.uint8Array({ minLength: width * height, maxLength: width * height })

describe('a mask on the grid', () => {
  test('is the share of each cell, also where cells are no whole pixels', () => {
    // Half of a 128-pixel picture, 3 cells of 42.67 pixels: all, half, nothing. Then blurred by (1, 2, 1) / 4, growing only.
    const half = paint(128, 128, x => (x < 64 ? 255 : 0))
    const expected = [1, 0.5, 0.125]
    const cells = gridMask(half, 128, 128, 3, 3)
    for (let row = 0; row < 3; row++) expected.forEach((value, x) => expect(cells[row * 3 + x]).toBeCloseTo(value, 6))
  })

  test('feathers around a single cell, more beside it than at its corners', () => {
    const cells = gridMask(
      paint(90, 90, (x, y) => (x >= 36 && x < 54 && y >= 36 && y < 54 ? 255 : 0)),
      90,
      90,
      5,
      5
    )
    const expected = [
      0,
      0,
      0,
      0,
      0,
      0,
      1 / 16,
      1 / 8,
      1 / 16,
      0,
      0,
      1 / 8,
      1,
      1 / 8,
      0,
      0,
      1 / 16,
      1 / 8,
      1 / 16,
      0,
      0,
      0,
      0,
      0,
      0
    ]
    expected.forEach((value, index) => expect(cells[index]).toBeCloseTo(value, 6))
  })

  test('takes grey for white, which is mixed in pixels', async () => {
    const grey = (level: number) => paint(128, 128, x => (x < 64 ? level : 0))
    expect(gridMask(grey(1), 128, 128, 3, 3)).toEqual(gridMask(grey(255), 128, 128, 3, 3))
    expect((await blendMask(grey(51), 128, 128, 0))[0]).toBeCloseTo(0.2, 6)
  })

  test('all white is 1 everywhere, and what is changed is never less than its share', () => {
    expect([
      ...gridMask(
        paint(256, 128, () => 255),
        256,
        128,
        6,
        3
      )
    ]).toEqual(new Array(18).fill(1))
    fc.assert(
      fc.property(bytes(12, 8), mask => {
        const cells = gridMask(mask, 12, 8, 3, 2)
        for (let y = 0; y < 2; y++) {
          for (let x = 0; x < 3; x++) {
            let sum = 0
            for (let dy = 0; dy < 4; dy++) for (let dx = 0; dx < 4; dx++) sum += mask[(y * 4 + dy) * 12 + x * 4 + dx]!
            expect(cells[y * 3 + x]).toBeGreaterThanOrEqual(sum / 16 / 255 - 1e-6)
            expect(cells[y * 3 + x]).toBeLessThanOrEqual(1)
          }
        }
      })
    )
  })
})

describe('a mask over pixels', () => {
  test('is 0 outside and rises inside over the feather', async () => {
    const mask = paint(10, 3, x => (x >= 4 ? 255 : 0))
    const blend = await blendMask(mask, 10, 3, 3)
    expect([...blend.subarray(10, 20)]).toEqual([0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
    expect([...(await blendMask(mask, 10, 3, 0)).subarray(0, 10)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    // The edge of the picture is no seam.
    expect([
      ...(await blendMask(
        paint(4, 4, () => 255),
        4,
        4,
        9
      ))
    ]).toEqual(new Array(16).fill(1))
  })

  test('measures the distance to the nearest pixel outside, whatever its form', async () => {
    const mask = (value: readonly number[]) => Uint8Array.from(value)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(0, 255), { minLength: 63, maxLength: 63 }), async values => {
        const blend = await blendMask(mask(values), 9, 7, 99)
        const outside = values.flatMap((value, index) => (value === 0 ? [index] : []))
        values.forEach((value, index) => {
          const far = Math.min(
            ...outside.map(other =>
              Math.max(Math.abs((other % 9) - (index % 9)), Math.abs(Math.floor(other / 9) - Math.floor(index / 9)))
            )
          )
          expect(blend[index]).toBeCloseTo(value === 0 ? 0 : Math.min(1, far / 100), 6)
        })
      })
    )
  })

  test('keeps every pixel outside as it was, and takes the new picture deep inside', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes(8, 8),
        fc.uint8Array({ minLength: 192, maxLength: 192 }),
        fc.uint8Array({ minLength: 192, maxLength: 192 }),
        async (mask, old, made) => {
          const original = Buffer.from(old)
          const { data } = composite(
            { width: 8, height: 8, data: original },
            { width: 8, height: 8, data: made },
            await blendMask(mask, 8, 8, 0)
          )
          expect(Buffer.compare(original, old)).toBe(0)
          mask.forEach((value, pixel) => {
            for (let index = pixel * 3; index < pixel * 3 + 3; index++) {
              if (value === 0) expect(data[index]).toBe(old[index])
              if (value === 255) expect(data[index]).toBe(made[index])
              expect(data[index]).toBeGreaterThanOrEqual(Math.min(old[index]!, made[index]!))
              expect(data[index]).toBeLessThanOrEqual(Math.max(old[index]!, made[index]!))
            }
          })
        }
      )
    )
  })
})

test('halves of two pictures are rounded to the nearest', () => {
  const pixel = (...data: number[]) => ({ width: 1, height: 1, data: Uint8Array.from(data) })
  expect([...composite(pixel(0, 0, 10), pixel(255, 1, 20), Float32Array.of(0.5)).data]).toEqual([128, 1, 15])
})
