import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findLibtorch, places, versionIn } from '../../lib/install/libtorch.mjs'
import { provideLibtorch } from '../../scripts/setup/provide.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-setup-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** @param {string} name @param {string} version */
function libtorch(name, version, { cuda = false } = {}) {
  const directory = join(folder, name)
  const header = join(directory, 'include', 'torch', 'headeronly')
  mkdirSync(join(directory, 'lib'), { recursive: true })
  mkdirSync(header, { recursive: true })
  writeFileSync(join(directory, 'lib', 'libtorch_cpu.so'), '')
  if (cuda) writeFileSync(join(directory, 'lib', 'libtorch_cuda.so'), '')
  const [major, minor, patch] = version.split('.')
  writeFileSync(
    join(header, 'version.h'),
    `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`
  )
  return directory
}

/** @param {string} source @param {string | undefined} directory */
function place(source, directory, required = false) {
  return { source, required, python: null, directory: () => directory }
}

test('the version is read from the headers; a folder without headers or library has none', () => {
  expect(versionIn(libtorch('a', '2.13.1'))).toBe('2.13.1')
  expect(versionIn(folder)).toBeUndefined()
  const headersOnly = libtorch('b', '2.13.0')
  rmSync(join(headersOnly, 'lib'), { recursive: true })
  expect(versionIn(headersOnly)).toBeUndefined()
})

describe('the order of the places', () => {
  test('variables, active environment, python3, python, .venv', () => {
    const sources = places({ WUERSTCHEN_LIBTORCH: '/a', LIBTORCH: '/b', VIRTUAL_ENV: '/env' }).map(({ source }) => source)
    expect(sources.slice(0, 5)).toEqual([
      'the variable WUERSTCHEN_LIBTORCH',
      'the variable LIBTORCH',
      'the torch package of /env/bin/python',
      'the torch package of python3',
      'the torch package of python'
    ])
    expect(sources[5]).toMatch(/\.venv\/bin\/python$/)
    expect(sources).toHaveLength(6)
  })

  test('empty variables do not count', () => {
    expect(places({ WUERSTCHEN_LIBTORCH: '', LIBTORCH: '' }).filter(({ required }) => required)).toEqual([])
  })

  test('the first that fits is taken, and the later ones are not asked', () => {
    const first = libtorch('first', '2.13.0', { cuda: true })
    const never = {
      source: 'later',
      required: false,
      python: null,
      directory: () => {
        throw new Error('asked')
      }
    }
    const { found, tried } = findLibtorch([place('nothing', undefined), place('first', first), never])
    expect(found).toEqual({ directory: first, version: '2.13.0', source: 'first', cuda: true, python: null })
    expect(tried).toEqual(['nothing: none'])
  })

  test('another minor version of an installed torch is passed over, with a word', () => {
    const old = libtorch('old', '2.12.1')
    const { found, tried } = findLibtorch([place('python3', old), place('python', libtorch('new', '2.13.0'))])
    expect(found?.source).toBe('python')
    expect(tried).toEqual([`python3: LibTorch 2.12.1 in ${old}`])
  })
})

describe('a place that the user named', () => {
  test('is refused, never passed over, when it has another minor version', () => {
    const other = libtorch('other', '2.14.1')
    const { found, refused } = findLibtorch([
      place('the variable LIBTORCH', other, true),
      place('python3', libtorch('good', '2.13.0'))
    ])
    expect(found).toBeUndefined()
    expect(refused).toBe(`the variable LIBTORCH names LibTorch 2.14.1 in ${other}`)
  })

  test('is taken whatever its version when any will do', () => {
    expect(findLibtorch([place('--libtorch', libtorch('other', '2.14.1'), true)], null).found?.version).toBe('2.14.1')
  })

  test('that has no LibTorch is an error with numbered ways out, before anything is downloaded', () => {
    expect(() => provideLibtorch({ WUERSTCHEN_LIBTORCH: folder })).toThrow(
      `Expected a LibTorch 2.13, but the variable WUERSTCHEN_LIBTORCH names no LibTorch in ${folder}.`
    )
  })
})
