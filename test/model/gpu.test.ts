import { expect, test } from 'vitest'
import { runsOnGpu } from '../../lib/model/gpu.js'

// CUDA C++ Programming Guide, "Binary Compatibility" and "Architecture-Specific Features". test/export/test_cross.py has the
// same.
test.each<[madeFor: string, here: string, fits: boolean]>([
  ['8.0', '8.0', true],
  ['8.0', '8.6', true],
  ['8.0', '8.9', true],
  ['8.6', '8.0', false],
  ['8.6', '8.9', true],
  ['8.9', '8.6', false],
  ['8.0', '9.0', false],
  ['8.9', '9.0', false],
  ['7.5', '8.0', false],
  ['9.0', '9.0', true],
  ['9.0', '8.9', false],
  ['9.0', '10.0', false],
  ['10.0', '10.3', false],
  ['10.0', '10.0', true],
  ['12.0', '12.1', false],
  ['8', '8.0', false],
  ['sm_80', '8.0', false],
  ['sm_80', 'sm_80', false],
  ['', '', false],
  ['8.0', '', false]
])('code for %j on %j: %j', (madeFor, here, fits) => {
  expect(runsOnGpu(madeFor, here)).toBe(fits)
})
