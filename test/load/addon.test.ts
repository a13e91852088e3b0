import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WuerstchenError } from '../../lib/errors.js'
import { loadFrom } from '../../lib/load/addon.js'
import { addonLocations } from '../../lib/load/locations.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wuerstchen-load-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

function caught(locations: string[]): WuerstchenError {
  try {
    loadFrom(locations)
  } catch (error) {
    if (error instanceof WuerstchenError) return error
    throw error
  }
  throw new Error('Expected loadFrom to throw')
}

function fakeLibtorch(minor: number): string {
  const directory = join(root, 'torch')
  mkdirSync(join(directory, 'lib'), { recursive: true })
  mkdirSync(join(directory, 'include', 'torch', 'headeronly'), { recursive: true })
  writeFileSync(join(directory, 'lib', 'libtorch_cpu.so'), '')
  writeFileSync(
    join(directory, 'include', 'torch', 'headeronly', 'version.h'),
    `#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH 0\n`
  )
  return directory
}

test("a build of one's own comes before one that came with the package", () => {
  expect(addonLocations('/package', 'linux', 'x64')).toEqual([
    '/package/build/Release/wuerstchen.node',
    '/package/prebuilds/linux-x64/wuerstchen.node'
  ])
})

test('without an addon the error names both places and the set-up', () => {
  const locations = addonLocations(root, 'linux', 'x64')
  const error = caught(locations)
  expect(error.code).toBe('NATIVE_LOAD_FAILED')
  for (const path of locations) expect(error.message).toContain(`${path}: no such file`)
  expect(error.message).toContain('npx wuerstchen setup')
})

test('a file that is no addon is reported with what the system said', () => {
  const addon = join(root, 'wuerstchen.node')
  writeFileSync(addon, 'not an addon')
  const error = caught([addon])
  expect(error.code).toBe('NATIVE_LOAD_FAILED')
  expect(error.message).toMatch(/ERR_DLOPEN_FAILED: .*(invalid ELF header|file too short)/)
})

test('an addon built for another LibTorch minor version is refused before the system loads it', () => {
  const addon = join(root, 'wuerstchen.node')
  writeFileSync(addon, 'loading this would fail with an ELF error')
  writeFileSync(
    join(root, 'wuerstchen.build.json'),
    JSON.stringify({ libtorch: { directory: fakeLibtorch(14), version: '2.13.0', cuda: false } })
  )
  const error = caught([addon])
  expect(error.code).toBe('LIBTORCH_NOT_FOUND')
  expect(error.message).toMatch(/built for LibTorch 2\.13\.0, but .* now holds 2\.14\.0/)
  expect(error.message).not.toContain('ELF')
})

test('the same minor version goes on to the system', () => {
  const addon = join(root, 'wuerstchen.node')
  writeFileSync(addon, 'not an addon')
  writeFileSync(
    join(root, 'wuerstchen.build.json'),
    JSON.stringify({ libtorch: { directory: fakeLibtorch(13), version: '2.13.1', cuda: false } })
  )
  expect(caught([addon]).message).toMatch(/ELF|file too short/)
})
