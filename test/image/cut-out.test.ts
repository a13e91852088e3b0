import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutOut } from '../../lib/image/cut-out.js'

/** RGBA from a function of x and y. */
const paint = (width: number, height: number, at: (x: number, y: number) => readonly number[]) =>
  Uint8Array.from(Array.from({ length: width * height }, (_, index) => at(index % width, Math.floor(index / width))).flat())

describe('an image without what is transparent in it', () => {
  test('continues the colours beside a hole into it, whatever stands there', async () => {
    // Red on the left, blue on the right, green below what is transparent.
    const pixels = paint(64, 32, x => (x >= 16 && x < 48 ? [0, 255, 0, 0] : x < 16 ? [200, 0, 0, 255] : [0, 0, 200, 255]))
    const { colours, transparency } = await cutOut(pixels, 64, 32)
    const at = (x: number) => [...colours.subarray((16 * 64 + x) * 3, (16 * 64 + x) * 3 + 3)]
    expect([at(15), at(17), at(46), at(48)]).toEqual([
      [200, 0, 0],
      [200, 0, 0],
      [0, 0, 200],
      [0, 0, 200]
    ])
    expect(colours.filter((value, index) => index % 3 === 1 && value > 0)).toHaveLength(0)
    expect([transparency[15], transparency[16], transparency[47], transparency[48]]).toEqual([0, 255, 255, 0])
  })

  // On a power of two the hole begins where a square of each level of the pyramid ends.
  test.each([32, 33, 47])('goes on at an edge at %d with the colours of the edge, and not with those behind it', async edge => {
    const pixels = paint(64, 64, x => (x >= edge ? [0, 255, 0, 0] : x === edge - 1 ? [240, 60, 50, 255] : [255, 255, 255, 255]))
    const { colours } = await cutOut(pixels, 64, 64)
    for (const y of [0, 31, 32, 63])
      expect([...colours.subarray((y * 64 + edge) * 3, (y * 64 + edge) * 3 + 3)]).toEqual([240, 60, 50])
  })

  test('keeps colours of what is partly transparent, and has white where nothing can be seen', async () => {
    const { colours, transparency } = await cutOut(Uint8Array.of(10, 20, 30, 1, 40, 50, 60, 254), 2, 1)
    expect([[...colours], [...transparency]]).toEqual([
      [10, 20, 30, 40, 50, 60],
      [254, 1]
    ])
    expect([...(await cutOut(new Uint8Array(3 * 5 * 4), 3, 5)).colours]).toEqual(new Array(45).fill(255))
  })

  test('of any size: what can be seen stays, and the rest has colours within those', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat(255)),
        async (w, h, values) => {
          const pixels = Uint8Array.from({ length: w * h * 4 }, (_, index) => {
            const value = values.next().value as number
            return index % 4 === 3 ? (value < 128 ? 0 : value) : value
          })
          const { colours } = await cutOut(pixels, w, h)
          const seen = Array.from({ length: w * h }, (_, pixel) => pixel).filter(pixel => pixels[pixel * 4 + 3]! > 0)
          for (let channel = 0; channel < 3; channel++) {
            const values = seen.map(pixel => pixels[pixel * 4 + channel]!)
            const [least, most] = seen.length === 0 ? [255, 255] : [Math.min(...values), Math.max(...values)]
            for (let pixel = 0; pixel < w * h; pixel++) {
              const colour = colours[pixel * 3 + channel]!
              if (pixels[pixel * 4 + 3]! > 0) expect(colour).toBe(pixels[pixel * 4 + channel])
              expect(colour >= least && colour <= most).toBe(true)
            }
          }
        }
      )
    )
  })
})
