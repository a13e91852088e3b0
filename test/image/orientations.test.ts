import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { captureImage } from '../../lib/image/input.js'
import { readMask, readSource } from '../../lib/image/source.js'
import { root } from '../support/small-model.js'

const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
const python = process.env['WUERSTCHEN_TEST_PYTHON'] ?? join(root, '.venv', 'bin', 'python')
const [WIDTH, HEIGHT] = [96, 64]
/** In the middle of each quarter, row by row from the upper left. */
const PLACES = [
  [24, 16],
  [72, 16],
  [24, 48],
  [72, 48]
] as const

beforeAll(() => {
  execFileSync(python, [join(root, 'test', 'image', 'orientations.py'), folder], { stdio: ['ignore', 'ignore', 'inherit'] })
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** A lossy file's step. Two quarters differ by 85 at least. */
const NEAR = 8
const formats = ['png', 'jpeg', 'webp', 'avif'] as const

describe.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i', orientation => {
  test.each(formats)('%s as an image', async format => {
    const { pixels } = await readSource(captureImage('image', join(folder, `image-${orientation}.${format}`)))
    expect(pixels).toMatchObject({ width: WIDTH, height: HEIGHT })
    const corners = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 255]
    ]
    PLACES.forEach(([x, y], index) => {
      corners[index]!.forEach((value, channel) => {
        expect(Math.abs(pixels.data[(y * WIDTH + x) * 3 + channel]! - value), `quarter ${index}`).toBeLessThanOrEqual(NEAR)
      })
    })
  })

  test.each(formats)('%s as a mask', async format => {
    const mask = await readMask(captureImage('mask', join(folder, `mask-${orientation}.${format}`)))
    expect(mask).toMatchObject({ width: WIDTH, height: HEIGHT })
    PLACES.forEach(([x, y], index) => {
      // 170 and 85 are stretched between 8 and 247 in PNG, between 40 and 215 in files with loss.
      const expected = (format === 'png' ? [255, 173, 82, 0] : [255, 189, 66, 0])[index]!
      expect(Math.abs(mask.data[y * WIDTH + x]! - expected), `quarter ${index}`).toBeLessThanOrEqual(NEAR)
    })
  })
})
