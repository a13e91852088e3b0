import { expect, test } from 'vitest'
import { batchLimits, mostImages } from '../../lib/engine/batch-limits.js'

/** Cells of square images of 128, 256, 384, 512 and 1024 pixels. */
const CELLS = [9, 36, 81, 144, 576]

test.each([
  { device: 'cpu', threads: 1, most: [8, 4, 2, 1, 1] },
  { device: 'cpu', threads: 2, most: [8, 4, 2, 1, 1] },
  { device: 'cpu', threads: 16, most: [8, 8, 8, 8, 2] },
  { device: 'cuda:1', threads: 2, most: [8, 8, 8, 8, 8] }
])('on $device with $threads threads', ({ device, threads, most }) => {
  expect(CELLS.map(cells => mostImages(batchLimits(device, threads), cells))).toEqual(most)
})

test('what the user says holds for every size', () => {
  expect(CELLS.map(cells => mostImages(batchLimits('cpu', 1, 3), cells))).toEqual([3, 3, 3, 3, 3])
})
