import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { duration, Progress, progressLine } from '../../lib/cli/progress.js'

const terminal = process.stderr.isTTY
let written = ''
beforeEach(() => {
  written = ''
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    written += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.stderr.isTTY = terminal
})

const step = (image: number, stage: 'prior' | 'decoder', done: number, steps: number) => ({
  image,
  stage,
  step: done,
  steps,
  timestep: 0.5,
  elapsedMs: 1000
})

test('a line has a bar, the stage, the step and the time left', () => {
  expect(progressLine('prior', 3, 12, 0.25, 1000)).toBe('[======                  ] prior 3/12, 3 s left')
  expect(progressLine('prior', 0, 12, 0, 0)).toBe('[                        ] prior 0/12, ? left')
  expect(progressLine('decoder', 12, 12, 1, 5000)).toBe('[========================] decoder 12/12, 0 s left')
  expect([duration(59_001), duration(1), duration(61_000)]).toEqual(['1 min 0 s', '1 s', '1 min 1 s'])
})

test('on a terminal the bar covers all images and both stages', () => {
  process.stderr.isTTY = true
  const progress = new Progress(false, 2, 2)
  progress.step(step(0, 'prior', 4, 4))
  progress.step(step(1, 'decoder', 1, 2))
  expect(written).toBe(
    '\r\x1b[2K[======                  ] prior of image 1/2 4/4, 3 s left\r\x1b[2K[=========               ] decoder of image 2/2 1/2, 2 s left'
  )
  progress.clear()
  expect(written.endsWith('\r\x1b[2K')).toBe(true)
})

test.each([
  [true, true],
  [false, false]
])('nothing is printed when it is to be quiet, or where there is no terminal', (quiet, isTTY) => {
  process.stderr.isTTY = isTTY
  const progress = new Progress(quiet, 1, 2)
  progress.status('loading')
  progress.step(step(0, 'prior', 1, 4))
  progress.clear()
  expect(written).toBe('')
})
