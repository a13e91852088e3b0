import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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
