import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { captureImage } from '../../lib/image/input.js'
import { readCutOut, readMask } from '../../lib/image/source.js'

const SIDE = 128
const raw = { raw: { width: SIDE, height: SIDE, channels: 1 as const } }
/** Curved, straight and slanted edges: what makes formats with loss ring. */
const black = Uint8Array.from({ length: SIDE * SIDE }, (_, index) => {
  const [x, y] = [index % SIDE, Math.floor(index / SIDE)]
  return Math.hypot(x - 50, y - 60) < 33 || (x > 100 && x < 117) || (y > 100 && x > y - 70) ? 255 : 0
})
const image = (values = black) => sharp(values, raw).toColourspace('srgb')
const maskOf = async (value: unknown) => (await readMask(captureImage('mask', value))).data
const worst = (a: Uint8Array, b: Uint8Array) => Math.max(...a.map((value, index) => Math.abs(value - b[index]!)))

describe('black and white of a mask are exactly 0 and 255', () => {
  test.each<[string, () => Promise<Buffer>]>([
    ['JPEG, quality 75', () => image().jpeg({ quality: 75 }).toBuffer()],
    ['JPEG, quality 95', () => image().jpeg({ quality: 95 }).toBuffer()],
    ['WebP, quality 80', () => image().webp({ quality: 80 }).toBuffer()],
    ['AVIF, quality 50', () => image().avif({ quality: 50 }).toBuffer()],
    [
      'PNG with 1 for black and 254 for white',
      () =>
        image(black.map(value => (value === 0 ? 1 : 254)))
          .png()
          .toBuffer()
    ],
    [
      'PNG of 16 bits, off by 8',
      () =>
        image(black.map(value => (value === 0 ? 8 : 247)))
          .toColourspace('rgb16')
          .png()
          .toBuffer()
    ],
    [
      'WebP without loss, off by 8',
      () =>
        image(black.map(value => (value === 0 ? 8 : 247)))
          .webp({ lossless: true })
          .toBuffer()
    ]
  ])('%s', async (name, make) => {
    const file = await make()
    if (/quality (75|80)/.test(name))
      expect(worst(await sharp(file).toColourspace('b-w').raw().toBuffer(), black)).toBeGreaterThan(8)
    expect(worst(await maskOf(file), black)).toBe(0)
  })

  test('also in raw pixels, and where transparency is the mask', async () => {
    const off = black.map(value => (value === 0 ? 1 : 254))
    expect(worst(await maskOf({ data: off, width: SIDE, height: SIDE }), black)).toBe(0)
    const rgba = Uint8Array.from({ length: SIDE * SIDE * 4 }, (_, index) => (index % 4 === 3 ? 255 - off[index >> 2]! : 9))
    const { transparency } = await readCutOut(captureImage('image', { data: rgba, width: SIDE, height: SIDE }))
    expect(worst(transparency.data, black)).toBe(0)
  })
})

test('grey is in between, half is half, and nothing jumps', async () => {
  const ramp = { data: Uint8Array.from({ length: 256 }, (_, index) => index), width: 256, height: 1 }
  const lossless = [...(await maskOf(ramp))]
  expect([0, 8, 9, 64, 128, 246, 247, 255].map(value => lossless[value])).toEqual([0, 0, 1, 60, 128, 254, 255, 255])
  expect(Math.max(...lossless.slice(1).map((value, index) => value - lossless[index]!))).toBeLessThanOrEqual(2)
  // A flat JPEG has the value that was written.
  const flat = (level: number) =>
    image(new Uint8Array(SIDE * SIDE).fill(level))
      .jpeg({ quality: 100 })
      .toBuffer()
  expect(await Promise.all([40, 41, 128, 214, 215].map(async level => (await maskOf(await flat(level)))[0]))).toEqual([
    0, 1, 128, 254, 255
  ])
})
