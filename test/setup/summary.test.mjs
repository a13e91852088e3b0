import { expect, test } from 'vitest'
import { counts, summaryLines } from '../../scripts/setup/summary.mjs'

const ctest = 'Test #1: random ... Passed\n\n100% tests passed, 0 tests failed out of 12\n\nTotal Test time (real) = 0.4 sec\n'
const vitest =
  ' ✓ test/a.test.ts (3 tests) 5ms\n\n Test Files  1 failed | 4 passed (5)\n      Tests  2 failed | 40 passed (42)\n   Start at  10:00:00\n'
const pytest = '....F\n=== short test summary info ===\n1 failed, 4 passed, 2 warnings in 3.21s\n'

test("the runners' own summary lines are found in what they print", () => {
  expect(summaryLines('ctest', ctest)).toEqual(['100% tests passed, 0 tests failed out of 12'])
  expect(summaryLines('vitest', vitest)).toEqual(['Test Files  1 failed | 4 passed (5)', 'Tests  2 failed | 40 passed (42)'])
  expect(summaryLines('pytest', pytest)).toEqual(['1 failed, 4 passed, 2 warnings in 3.21s'])
  expect(summaryLines('lint', '')).toEqual([])
  expect(summaryLines('lint', '3 passed')).toEqual([])
})

test('tests are added up over the runners; lint and types count as one each', () => {
  expect(
    counts([
      { name: 'lint', ok: true, text: '' },
      { name: 'types', ok: false, text: 'error TS1' },
      { name: 'ctest', ok: true, text: ctest },
      { name: 'vitest', ok: false, text: vitest },
      { name: 'pytest', ok: false, text: pytest }
    ])
  ).toEqual({ passed: 1 + 12 + 40 + 4, failed: 1 + 2 + 1 })
})

test('a runner that dies without a summary counts as one failure', () => {
  expect(counts([{ name: 'vitest', ok: false, text: 'Segmentation fault' }])).toEqual({ passed: 0, failed: 1 })
})
