import { expect, test } from 'vitest'
import { atLeast, minorOf, torchRelease, torchVersion } from '../../lib/install/version.mjs'

test.each([
  ['3.9.18', '3.10', false],
  ['3.10.0', '3.10', true],
  ['3.11.7', '3.10', true],
  ['20.18.3', '20.19.0', false],
  ['20.19.0', '20.19.0', true],
  ['20.19', '20.19.0', true],
  ['22.0.0', '20.19.0', true],
  ['3.18.0-rc1', '3.18', true]
])('%s is at least %s: %s', (version, least, expected) => {
  expect(atLeast(version, least)).toBe(expected)
})

test('the minor version leaves out patch and build', () => {
  expect(minorOf('2.13.0+cpu')).toBe('2.13')
  expect(minorOf('2.9')).toBe('2.9')
})

test('the release that is installed has the version that is looked for', () => {
  expect(minorOf(torchRelease)).toBe(torchVersion)
})
