import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../lib/install/make-folder.mjs'
import { packageRoot as root } from '../../lib/install/root.mjs'

const NOBODY = 65534

/** @param {string} out @returns {string} what the set-up says of a folder, as somebody who is no administrator */
function verdict(out) {
  const script = `
    const { checkWritable } = await import(${JSON.stringify(join(root, 'scripts/setup/native.mjs'))})
    if (process.getuid() === 0) { process.setgid(${NOBODY}); process.setuid(${NOBODY}) }
    try { checkWritable({ WUERSTCHEN_ADDON_DIR: ${JSON.stringify(out)} }); console.log('fine') } catch (error) { console.log(error.name, error.message) }`
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
}

test('a folder in which nothing can be built is named before anything is tried', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
  try {
    chmodSync(folder, 0o555)
    const build = join(folder, 'build')
    expect(verdict(build)).toContain(
      `SetupError Expected a folder that can be written for the set-up but ${build} cannot: EACCES`
    )
    chmodSync(folder, 0o755)
    mkdirSync(join(build, 'Release'), { recursive: true })
    chmodSync(build, 0o777)
    chmodSync(join(build, 'Release'), 0o555)
    expect(verdict(build)).toContain(join(build, 'Release'))
    chmodSync(join(build, 'Release'), 0o777)
    expect(verdict(build)).toBe('fine')
  } finally {
    chmodSync(folder, 0o755)
    rmSync(folder, { recursive: true })
  }
})

test.skipIf(process.platform !== 'linux')('a folder below one that takes none is refused, and does not hang', () => {
  expect(verdict('/proc/wuerstchen')).toMatch(/^SetupError .*\/proc\/wuerstchen cannot: E/)
  expect(verdict('/proc/wuerstchen/native')).toMatch(/^SetupError .*\/proc\/wuerstchen\/native cannot: E/)
  expect(verdict('/dev/null/native')).toMatch(/^SetupError .*\/dev\/null\/native cannot: E/)
})

test('folders are made with those above them, also where one is a link', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-test-'))
  try {
    makeFolder(join(folder, 'a', 'b', 'c'))
    symlinkSync(join(folder, 'a'), join(folder, 'link'))
    makeFolder(join(folder, 'link', 'b', 'd'))
    makeFolder(join(folder, 'a', 'b', 'd'))
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['c', 'd'])
    symlinkSync(join(folder, 'nothing'), join(folder, 'dangling'))
    expect(() => makeFolder(join(folder, 'dangling'))).toThrow(/ENOENT|EEXIST/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
