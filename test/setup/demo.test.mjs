import { spawnSync } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { root } from '../../scripts/setup/paths.mjs'

// Sets up what is out of date too, so it can take a build.
test('the demo ends with the path of a picture that it made', { timeout: 600_000 }, async () => {
  rmSync(join(root, 'out', 'demo.png'), { force: true })
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'demo.mjs'), 'a', 'red', 'heart'], {
    encoding: 'utf8'
  })
  expect(status).toBe(0)
  const file = String(stdout.trim().split('\n').at(-1))
  expect(file).toBe(join(root, 'out', 'demo.png'))
  expect(statSync(file).size).toBeGreaterThan(1000)
  expect(await sharp(file).metadata()).toMatchObject({ format: 'png', width: 256, height: 256 })
})

test('help is on stdout and says how to opt out', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs'), '--help'], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).toContain('To opt out')
  expect(stdout).toContain('WUERSTCHEN_LIBTORCH')
})

test('an unknown flag is refused before anything is done', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs'), '--everything'], {
    encoding: 'utf8'
  })
  expect(status).toBe(1)
  expect(stderr).toMatch(/^setup: Unknown option '--everything'/)
})
