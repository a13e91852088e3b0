import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { QUICK, withDirectory, withPipeline } from '../support/small-model.js'

const SIDE = 128
const SIZE = { width: SIDE, height: SIDE }
const { width: _, height: __, ...STEPS } = QUICK
const EDIT = { ...STEPS, seed: 3, feather: 0 }
const isLeft = (pixel: number) => pixel % SIDE < SIDE / 2
const rgb = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, index) => (index * 7 + (index >> 9)) % 256)

/** The image with an opacity for each pixel, and another colour below what is fully transparent. */
const withOpacity = (opacity: (pixel: number) => number) =>
  Uint8Array.from({ length: SIDE * SIDE * 4 }, (_, index) => {
    const [pixel, channel] = [index >> 2, index & 3]
    if (channel === 3) return opacity(pixel)
    return opacity(pixel) === 0 ? 255 : rgb[pixel * 3 + channel]!
  })
const image = (data: Uint8Array) => ({ data, ...SIZE })
const half = image(withOpacity(pixel => (isLeft(pixel) ? 0 : 255)))
const png = (data: Uint8Array) => sharp(data, { raw: { ...SIZE, channels: 4 } }).png()

/** How many numbers of the left and of the right half differ from the image's. */
function changed(data: Uint8Array): [number, number] {
  const differs = (left: boolean) =>
    data.reduce((sum, value, index) => sum + (isLeft(Math.floor(index / 3)) === left && value !== rgb[index] ? 1 : 0), 0)
  return [differs(true), differs(false)]
}

describe("a mask of 'alpha'", () => {
  test('is what is transparent: opaque pixels stay exactly as they are, in raw pixels and in files', () =>
    withPipeline(async pipeline => {
      const file = await png(half.data).toBuffer()
      const results = [
        await pipeline.edit(half, { ...EDIT, mask: 'alpha' }),
        await pipeline.edit(file, { ...EDIT, mask: 'alpha' }),
        // What is below the transparency is of no effect.
        await pipeline.edit(image(half.data.map((value, index) => (isLeft(index >> 2) && (index & 3) < 3 ? 40 : value))), {
          ...EDIT,
          mask: 'alpha'
        })
      ]
      const [first, ...others] = results.map(({ images: [made] }) => made!)
      const [left, right] = changed(first!.data)
      expect(right).toBe(0)
      expect(left).toBeGreaterThan(SIDE * SIDE)
      for (const other of others) expect(Buffer.compare(other.data, first!.data)).toBe(0)
      const { input } = others[0]!.parameters
      expect(input?.maskSha256).toBe(input?.sha256)
    }))

  test('mixes what is partly transparent, with the colours that it has', () =>
    withPipeline(async pipeline => {
      const { images: whole } = await pipeline.edit(image(withOpacity(pixel => (isLeft(pixel) ? 1 : 255))), {
        ...EDIT,
        mask: 'alpha'
      })
      const { images: part } = await pipeline.edit(image(withOpacity(pixel => (isLeft(pixel) ? 127 : 255))), {
        ...EDIT,
        mask: 'alpha'
      })
      const far = part[0]!.data.map((value, index) =>
        isLeft(Math.floor(index / 3)) ? Math.abs(value - (rgb[index]! + whole[0]!.data[index]!) / 2) : 0
      )
      expect(Math.max(...far)).toBeLessThanOrEqual(1)
    }))

  test('is turned with the image', () =>
    withPipeline(async pipeline => {
      const turned = await png(half.data).rotate(-90).withMetadata({ orientation: 6 }).png().toBuffer()
      const { images } = await pipeline.edit(turned, { ...EDIT, mask: 'alpha' })
      const [left, right] = changed(images[0]!.data)
      expect(right).toBe(0)
      expect(left).toBeGreaterThan(SIDE * SIDE)
    }))

  test('stands beside masks of other images, and an image without transparency is refused for it', () =>
    withPipeline(async pipeline => {
      const opaque = image(withOpacity(() => 255))
      const white = image(Uint8Array.from({ length: SIDE * SIDE }, (_, pixel) => (isLeft(pixel) ? 255 : 0)))
      const { images } = await pipeline.edit([half, opaque], { ...EDIT, mask: ['alpha', white] })
      expect(images.map(({ data }) => changed(data)[1])).toEqual([0, 0])
      for (const picture of [opaque, image(rgb), image(withOpacity(() => 250))]) {
        await expect(pipeline.edit([half, picture], { ...EDIT, mask: 'alpha' })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          subject: 'mask',
          message: 'Expected an image with transparency, which is what changes, for mask but the image has none'
        })
      }
    }))

  test('is a file as ./alpha', () =>
    withDirectory(async directory =>
      withPipeline(async pipeline => {
        const path = join(directory, 'sub', '..', 'alpha')
        mkdirSync(join(directory, 'sub'))
        await sharp(
          Uint8Array.from({ length: SIDE * SIDE }, (_, pixel) => (isLeft(pixel) ? 255 : 0)),
          {
            raw: { ...SIZE, channels: 1 }
          }
        )
          .png()
          .toFile(path)
        const { images } = await pipeline.edit(image(rgb), { ...EDIT, mask: path })
        expect(changed(images[0]!.data)[1]).toBe(0)
      })
    ))
})

test('grey does its share of what white does', () =>
  withPipeline(async pipeline => {
    const made = async (level: number) => {
      const { images } = await pipeline.edit(image(rgb), { ...EDIT, mask: image(new Uint8Array(SIDE * SIDE).fill(level)) })
      return Math.sqrt(images[0]!.data.reduce((sum, value, index) => sum + (value - rgb[index]!) ** 2, 0) / rgb.length)
    }
    const white = await made(255)
    expect(white).toBeGreaterThan(20)
    // What is black and white is stretched from 8 to 247, and pixels are rounded.
    for (const [level, share] of [
      [128, 0.5],
      [64, 0.234],
      [191, 0.766]
    ] as const)
      expect(Math.abs((await made(level)) / white - share), `grey ${level}`).toBeLessThan(0.01)
  }))

test('a mask of 1 everywhere is all black', () =>
  withPipeline(async pipeline => {
    await expect(pipeline.edit(image(rgb), { ...EDIT, mask: image(new Uint8Array(SIDE * SIDE).fill(1)) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'mask'
    })
  }))
