import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { atLeast, isSupported, minorOf, torchRange, torchRelease, torchVersions } from '../../lib/install/version.mjs'

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
  expect(torchVersions).toContain(minorOf(torchRelease))
})

test('2.11 to 2.15 are supported, in every patch and build', () => {
  expect(torchRange).toBe('2.11 to 2.15')
  expect(['2.11.0', '2.12.1', '2.13.0+cpu', '2.14.1+cu130', '2.15.0'].filter(version => !isSupported(version))).toEqual([])
  expect(['2.10.0', '2.16.0', '2.1.1', '3.13.0'].filter(isSupported)).toEqual([])
})

test('the exporter names the oldest', () => {
  const python = readFileSync(new URL('../../scripts/wuerstchen_export/versions.py', import.meta.url), 'utf8')
  expect(/OLDEST_LIBTORCH = "(.*)"/.exec(python)?.[1]).toBe(torchVersions[0])
})
