import { expect, test } from 'vitest'
import { checkFloor, floor, neededBy } from '../../scripts/release/floor.mjs'
import { addonFiles, loaderOf } from '../../lib/load/locations.js'

const built = addonFiles().find(({ builtFor }) => builtFor !== null)
const files = built === undefined ? [] : [built.path, loaderOf(built)]

// Node's own floor, which every program on it has, is 2.28.
test.each(files)('%s asks for a glibc and a libstdc++ that can be read', file => {
  const { GLIBC, CXXABI } = neededBy(file)
  expect(GLIBC).toMatch(/^2\.\d+$/)
  expect(CXXABI).toMatch(/^1\.3/)
})

test.each(files)('%s is refused where it asks for more than is allowed', file => {
  expect(() => checkFloor(file, { ...floor, GLIBC: '2.2' })).toThrow(
    /Expected GLIBC_2\.2 or older symbols .* but it needs GLIBC_2\.\d+/
  )
  expect(checkFloor(file, { GLIBC: '9.0', GLIBCXX: '9.0', CXXABI: '9.0' })).toEqual(neededBy(file))
})
