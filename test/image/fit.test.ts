import { describe, expect, test } from 'vitest'
import { fitMask, fitOptions, fitPixels, targetOf } from '../../lib/image/fit.js'
import { expectScalars } from '../../lib/options/scalars.js'
import type { Manifest } from '../../lib/model/manifest.js'

const manifest = (side: number) =>
  ({
    constants: { resolutionMultiple: 42.67, latentDimScale: 10.67 },
    defaults: { width: side, height: side }
  }) as Manifest

describe("an image's size", () => {
  test.each([
    ['its own where the model can make it', 1024, 640, 1024, 640],
    ['the nearest, where it cannot', 1000, 700, 1024, 640],
    ["smaller in its shape, where it is larger than the model's", 4000, 2000, 1024, 512],
    ['smaller also where it is upright', 3000, 4000, 768, 1024],
    ['the smallest for the smallest', 1, 1, 128, 128],
    ['at least the smallest side', 8192, 16, 1024, 128]
  ])('is %s', (_name, width, height, expectedWidth, expectedHeight) => {
    expect(targetOf({ width, height }, {}, manifest(1024))).toEqual({
      width: expectedWidth,
      height: expectedHeight,
      fit: 'cover'
    })
  })

  test("follows the side that is given, in the image's shape", () => {
    expect(targetOf({ width: 300, height: 200 }, { width: 768 }, manifest(128))).toMatchObject({ width: 768, height: 512 })
    expect(targetOf({ width: 300, height: 200 }, { height: 256 }, manifest(128))).toMatchObject({ width: 384, height: 256 })
    expect(targetOf({ width: 300, height: 200 }, { width: 256, height: 640, fit: 'fill' }, manifest(128))).toEqual({
      width: 256,
      height: 640,
      fit: 'fill'
    })
  })

  test('is refused where the model cannot make it', () => {
    expect(() => fitOptions({ width: 500 }, manifest(128))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('384 and 512') as string }) as Error
    )
    expect(() => expectScalars('vary', { fit: 'contain' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error
    )
  })
})

describe('pixels', () => {
  const picture = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, index) => index * 10) }

  test('of the right size stay what they are', async () => {
    expect((await fitPixels(picture, { width: 4, height: 2, fit: 'cover' })).data).toBe(picture.data)
  })

  test('lose what lies beside the centre, or are stretched; a mask likewise', async () => {
    const mask = {
      width: 256,
      height: 128,
      data: Uint8Array.from({ length: 256 * 128 }, (_, index) => (index % 256 < 64 ? 255 : 0)),
      sha256: ''
    }
    // The left quarter is white. Cut to the centre square nothing of it is left; stretched to a square it stays a quarter.
    const cut = await fitMask(mask, { width: 128, height: 128, fit: 'cover' })
    expect(cut).toHaveLength(128 * 128)
    expect(cut.some(value => value > 0)).toBe(false)
    const stretched = await fitMask(mask, { width: 128, height: 128, fit: 'fill' })
    expect(stretched.filter(value => value > 127)).toHaveLength(32 * 128)
    expect(new Set(stretched.filter((_, index) => index % 128 > 33))).toEqual(new Set([0]))
  })
})
