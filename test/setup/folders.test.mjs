import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  builtAddon,
  cacheFolder,
  isThere,
  nativeSources,
  recordedLibtorch,
  recordFile,
  setupFolder
} from '../../lib/install/folders.mjs'
import { fingerprint, writeRecord } from '../../lib/install/fingerprint.mjs'
import { packageRoot } from '../../lib/install/root.mjs'
import { addonFiles } from '../../lib/load/locations.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-folders-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

test('a clone writes to its own build folder, and elsewhere only where it is told', () => {
  expect(setupFolder({ HOME: folder, XDG_CACHE_HOME: folder })).toBe(join(packageRoot, 'build'))
  expect(setupFolder({ WUERSTCHEN_ADDON_DIR: folder })).toBe(folder)
  expect(recordFile({ WUERSTCHEN_ADDON_DIR: folder })).toBe(join(folder, 'libtorch.json'))
})

// https://specifications.freedesktop.org/basedir-spec: "If an implementation encounters a relative path in any of these
// variables it should consider the path invalid and ignore it."
test('the cache is where XDG_CACHE_HOME says, if that is absolute', () => {
  expect(cacheFolder({ XDG_CACHE_HOME: '/caches' })).toBe('/caches')
  for (const relative of ['caches', './caches', '~/caches', ''])
    expect(cacheFolder({ XDG_CACHE_HOME: relative })).toBe(join(homedir(), '.cache'))
})

test('a user without a home, as in a container, does not end the import', () => {
  const at = (/** @type {string | undefined} */ HOME, user = 4_000_000) => {
    const script = `
      if (process.getuid() === 0) process.setuid(${user})
      const { cacheFolder } = await import(${JSON.stringify(join(packageRoot, 'lib/install/folders.mjs'))})
      await import(${JSON.stringify(join(packageRoot, 'lib/install/libtorch.mjs'))})
      console.log(cacheFolder({}))`
    const env = { PATH: process.env.PATH, ...(HOME !== undefined && { HOME }) }
    return execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8', cwd: '/' }).trim()
  }
  expect(at('/somewhere')).toBe('/somewhere/.cache')
  if (process.getuid?.() === 0) {
    for (const home of [undefined, '', 'relative']) expect(at(home)).toBe('/.cache')
    expect(at('', 0)).toBe(join(userInfo().homedir, '.cache'))
  }
})

test('what may not be looked at counts as absent', () => {
  expect(isThere(folder)).toBe(true)
  expect(isThere(join(folder, 'nothing'))).toBe(false)
})

test('addons of other sources, versions and systems never meet in a folder that is named', () => {
  const env = { WUERSTCHEN_ADDON_DIR: folder }
  const place = builtAddon(env, '2.14')
  expect(place.startsWith(join(folder, '0.1.0-'))).toBe(true)
  expect(place).toContain(nativeSources().slice(0, 12))
  expect(place.endsWith(`${process.platform}-${process.arch}-libtorch-2.14`)).toBe(true)
})

test('prebuilt addons of another version of the package are not taken', async () => {
  cpSync(join(packageRoot, 'lib', 'install'), join(folder, 'lib', 'install'), { recursive: true })
  writeRecord(join(folder, 'package.json'), { name: 'wuerstchen', version: '1.2.3', type: 'module' })
  const addons = join(folder, 'node_modules', '@wuerstchen', 'linux-x64')
  const { prebuiltAddons } = await import(/* @vite-ignore */ pathToFileURL(join(folder, 'lib', 'install', 'folders.mjs')).href)
  expect(prebuiltAddons('linux', 'x64')).toBeUndefined()
  writeRecord(join(addons, 'package.json'), { name: '@wuerstchen/linux-x64', version: '1.2.4' })
  expect(prebuiltAddons('linux', 'x64')).toBeUndefined()
  writeRecord(join(addons, 'package.json'), { name: '@wuerstchen/linux-x64', version: '1.2.3' })
  expect(prebuiltAddons('linux', 'x64')).toBe(realpathSync(addons))
})

test('an addon in a folder that is named is found by the version in its record', () => {
  const env = { WUERSTCHEN_ADDON_DIR: folder }
  const place = builtAddon(env, '2.14')
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'wuerstchen.node'), '')
  writeRecord(join(place, 'wuerstchen.build.json'), { libtorch: { version: '2.14.1' } })
  expect(addonFiles(env).filter(({ builtFor }) => builtFor !== null)).toEqual([
    { path: join(place, 'wuerstchen.node'), builtFor: '2.14.1' }
  ])
})

test('the LibTorch of the last set-up is remembered', () => {
  const env = { WUERSTCHEN_ADDON_DIR: folder }
  expect(recordedLibtorch(env)).toBeUndefined()
  writeRecord(recordFile(env), { directory: '/opt/torch', version: '2.13.0' })
  expect(recordedLibtorch(env)).toEqual({ directory: '/opt/torch', python: null })
})

test('a fingerprint is the same wherever the sources are', () => {
  for (const place of ['here', 'there']) {
    mkdirSync(join(folder, place, 'cpp'), { recursive: true })
    writeFileSync(join(folder, place, 'cpp', 'a.cc'), 'int a;')
  }
  const of = (/** @type {string} */ place) => fingerprint(join(folder, place), [join(folder, place, 'cpp')], ['2.13'])
  expect(of('here')).toBe(of('there'))
})
