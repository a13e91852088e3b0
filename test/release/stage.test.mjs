import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadLinks } from '../../scripts/release/links.mjs'
import { root } from '../../scripts/setup/paths.mjs'

/** @type {string} */
let work
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'wuerstchen-stage-'))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  mkdirSync(join(work, 'addons'))
  writeFileSync(join(work, 'addons', 'package.json'), JSON.stringify({ name: '@wuerstchen/linux-x64', version }))
})
afterAll(() => rmSync(work, { recursive: true }))

/** @param {string[]} args */
const stage = (...args) =>
  spawnSync(process.execPath, [join(root, 'scripts', 'release', 'stage.mjs'), '--addons', join(work, 'addons'), ...args], {
    encoding: 'utf8'
  })

/** @param {string} folder */
const manifestOf = folder => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

const REPOSITORY = 'https://code.example/someone/wuerstchen'

test('what is published for everybody must say where its repository is', () => {
  const out = join(work, 'nothing')
  for (const args of [[], ['--local', '--repository', REPOSITORY]])
    expect(stage('--out', out, ...args)).toMatchObject({ status: 1, stdout: '' })
  for (const address of ['someone/wuerstchen', 'http://code.example/a/b', 'https://code.example', `${REPOSITORY}?x`])
    expect([address, stage('--out', out, '--repository', address).status]).toEqual([address, 1])
  expect(existsSync(out)).toBe(false)
})

test('a slip in --out or --addons deletes nothing', () => {
  const other = join(work, 'home')
  mkdirSync(other)
  writeFileSync(join(other, 'letter'), 'x')
  const commands = [
    ['scripts/release/stage.mjs', '--local', '--addons', join(work, 'addons')],
    ['scripts/release/stage.mjs', '--local', '--addons', other],
    ['scripts/release/addons.mjs', '--libtorch', other],
    ['scripts/docs.mjs']
  ]
  for (const [script = '', ...args] of commands) {
    const { status, stderr } = spawnSync(process.execPath, [join(root, script), '--out', other, ...args], { encoding: 'utf8' })
    expect([script, status, stderr]).toEqual([script, 1, expect.stringMatching(/^setup: Expected .*home/)])
  }
  expect(readFileSync(join(other, 'letter'), 'utf8')).toBe('x')
})

describe.each([
  ['--repository', ['--repository', `${REPOSITORY}.git/`]],
  ['--local', ['--local']]
])('the package that is staged with %s', (name, args) => {
  const folder = () => join(work, name.slice(2))
  beforeAll(() => {
    expect(stage('--out', folder(), ...args)).toMatchObject({ status: 0, stdout: `${folder()}\n` })
  })

  test('has no link to a file that it does not have', () => {
    expect(deadLinks(folder())).toEqual([])
    expect(readFileSync(join(folder(), 'README.md'), 'utf8')).toContain(
      name === '--local'
        ? '](docs/pictures/readme.png)'
        : `](${REPOSITORY}/raw/v${manifestOf(folder()).version}/docs/pictures/readme.png)`
    )
  })

  test('is published as it is: npm leaves no file out that a page links to', () => {
    const packed = join(work, `${name.slice(2)}-packed`)
    mkdirSync(packed)
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', folder(), '--json', '--pack-destination', packed], { encoding: 'utf8' })
    )
    execFileSync('tar', ['-xzf', join(packed, filename), '-C', packed])
    expect(deadLinks(join(packed, 'package'))).toEqual([])
  })

  test('says where its repository is, or nothing', () => {
    const { repository, homepage, bugs } = manifestOf(folder())
    expect({ repository, homepage, bugs }).toEqual(
      name === '--local'
        ? {}
        : {
            repository: { type: 'git', url: `git+${REPOSITORY}.git` },
            homepage: `${REPOSITORY}#readme`,
            bugs: { url: `${REPOSITORY}/issues` }
          }
    )
  })

  test('has the sources that its maps name', () => {
    for (const map of [
      'dist/index.js.map',
      'dist/index.d.ts.map',
      'dist/server/http/app.js.map',
      'dist/pipeline/pipeline.d.ts.map'
    ]) {
      const { sources, sourceRoot } = JSON.parse(readFileSync(join(folder(), map), 'utf8'))
      expect(sources).toHaveLength(1)
      expect([map, existsSync(join(folder(), map, '..', sourceRoot, sources[0]))]).toEqual([map, true])
    }
  })
})
