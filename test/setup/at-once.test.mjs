import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readRecord, replaceFile, writeRecord } from '../../lib/install/fingerprint.mjs'
import { packageRoot as root } from '../../lib/install/root.mjs'
import { buildFolder, install } from '../../scripts/setup/native.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-at-once-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** @param {string} script that several processes run at once */
function together(script, processes = 4) {
  const run = promisify(execFile)
  return Promise.all(Array.from({ length: processes }, () => run(process.execPath, ['--input-type=module', '-e', script])))
}

test('set-ups that begin together make the same folders', async () => {
  await together(`
    const { makeFolder } = await import(${JSON.stringify(join(root, 'lib/install/make-folder.mjs'))})
    // All begin in the same moment.
    const start = Math.ceil(Date.now() / 500 + 1) * 500
    while (Date.now() < start);
    for (let index = 0; index < 150; index++) makeFolder(${JSON.stringify(folder)} + '/' + index + '/a/b/c')`)
  expect(readdirSync(folder)).toHaveLength(150)
})

test('a record is whole whenever it is read, and one of those that were written', async () => {
  const file = join(folder, 'libtorch.json')
  await together(`
    const { readRecord, writeRecord } = await import(${JSON.stringify(join(root, 'lib/install/fingerprint.mjs'))})
    for (let index = 0; index < 300; index++) {
      writeRecord(${JSON.stringify(file)}, { directory: 'x'.repeat(index * 50), pid: process.pid })
      if (readRecord(${JSON.stringify(file)})?.pid === undefined) throw new Error('half a record')
    }`)
  expect(readdirSync(folder)).toEqual(['libtorch.json'])
})

test('a file that cannot be written leaves the old one, and nothing beside it', () => {
  writeRecord(join(folder, 'file'), { old: true })
  const fault = () =>
    replaceFile(join(folder, 'file'), beside => {
      writeFileSync(beside, 'half')
      throw new Error('no space')
    })
  expect(fault).toThrow('no space')
  expect(readRecord(join(folder, 'file'))).toEqual({ old: true })
  expect(readdirSync(folder)).toEqual(['file'])
})

test('an addon never stands beside the record of another', () => {
  const [from, place] = [join(folder, 'from'), join(folder, 'place')]
  mkdirSync(from)
  writeFileSync(join(from, 'loader.node'), 'loader')
  writeFileSync(join(from, 'wuerstchen.node'), '2.13')
  install(from, place, { configuration: 'a', libtorch: { version: '2.13.0' } })
  expect(readdirSync(place).sort()).toEqual(['loader.node', 'wuerstchen.build.json', 'wuerstchen.node'])
  expect(statSync(join(place, 'wuerstchen.node')).mode & 0o777).toBe(0o755)
  // It ends before the addon's turn.
  rmSync(join(from, 'wuerstchen.node'))
  expect(() => install(from, place, { configuration: 'b', libtorch: { version: '2.14.0' } })).toThrow(/ENOENT/)
  expect(existsSync(join(place, 'wuerstchen.build.json'))).toBe(false)
  expect(readFileSync(join(place, 'wuerstchen.node'), 'utf8')).toBe('2.13')
})

test('a build deletes the folders of builds that were killed, and no others', () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const others = [`building-${hostname()}-${process.pid}-run`, `building-elsewhere-${dead}-x`, 'building-old', 'venv']
  for (const name of [`building-${hostname()}-${dead}-killed`, ...others])
    mkdirSync(join(folder, name, 'CMakeFiles'), { recursive: true })
  const own = basename(buildFolder(folder))
  expect(own).toMatch(new RegExp(`^building-.*-${process.pid}-`))
  expect(readdirSync(folder).sort()).toEqual([own, ...others].sort())
})
