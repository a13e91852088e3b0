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

test('the version is read from the headers, the Python package or the zip; a folder without any or without library has none', () => {
  const withHeader = libtorch('a', '2.13.1')
  expect(versionIn(withHeader)).toBe('2.13.1')
  rmSync(join(withHeader, 'include'), { recursive: true })
  expect(versionIn(withHeader)).toBeUndefined()
  // As torch 2.14.1 and LibTorch 2.11.0 write them.
  writeFileSync(join(withHeader, 'build-version'), '2.11.0+cu130\n')
  expect(versionIn(withHeader)).toBe('2.11.0')
  writeFileSync(join(withHeader, 'version.py'), "__all__ = ['__version__']\n__version__ = '2.14.1+cu130'\ndebug = False\n")
  expect(versionIn(withHeader)).toBe('2.14.1')
  expect(versionIn(folder)).toBeUndefined()
  const headersOnly = libtorch('b', '2.13.0')
  rmSync(join(headersOnly, 'lib'), { recursive: true })
  expect(versionIn(headersOnly)).toBeUndefined()
})

describe('the order of the places', () => {
  test('variables, active environment, python3, python, .venv', () => {
    const sources = places({ WUERSTCHEN_LIBTORCH: '/a', LIBTORCH: '/b', VIRTUAL_ENV: '/env' })
      .map(({ source }) => source)
      .filter(source => source !== 'the last set-up')
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

  test('the folder of the last set-up comes before what is installed', () => {
    const found = places({ LIBTORCH: '/b' }, { directory: '/recorded', python: '/recorded/python' })
    expect(found.slice(0, 2).map(({ source, required }) => [source, required])).toEqual([
      ['the variable LIBTORCH', true],
      ['the last set-up', false]
    ])
    expect(found[1]?.directory()).toBe('/recorded')
    expect(found[1]?.python).toBe('/recorded/python')
  })

  test('a relative folder is that of the working folder: a record of it is read elsewhere', () => {
    const [named] = places({ WUERSTCHEN_LIBTORCH: 'some/torch' })
    expect(named?.directory()).toBe(join(process.cwd(), 'some', 'torch'))
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

  test('a version of an installed torch that is not supported is passed over, with a word', () => {
    const old = libtorch('old', '2.10.1')
    const { found, tried } = findLibtorch([place('python3', old), place('python', libtorch('new', '2.13.0'))])
    expect(found?.source).toBe('python')
    expect(tried).toEqual([`python3: LibTorch 2.10.1 in ${old}`])
  })
})

describe('a place that the user named', () => {
  test('is refused, never passed over, when it has a version that is not supported', () => {
    const other = libtorch('other', '2.16.0')
    const { found, refused } = findLibtorch([
      place('the variable LIBTORCH', other, true),
      place('python3', libtorch('good', '2.13.0'))
    ])
    expect(found).toBeUndefined()
    expect(refused).toBe(`the variable LIBTORCH names LibTorch 2.16.0 in ${other}`)
  })

  test('is taken whatever its version when any will do', () => {
    expect(findLibtorch([place('--libtorch', libtorch('other', '2.16.0'), true)], () => true).found?.version).toBe('2.16.0')
  })

  test('that has no LibTorch is an error with numbered ways out, before anything is downloaded', () => {
    expect(() => provideLibtorch({ WUERSTCHEN_LIBTORCH: folder })).toThrow(
      `Expected a LibTorch 2.11 to 2.15, but the variable WUERSTCHEN_LIBTORCH names no LibTorch in ${folder}.`
    )
  })
})
