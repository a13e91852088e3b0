import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fingerprint, readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { outdated } from '../../scripts/setup/npm.mjs'
import { pins } from '../../scripts/setup/python.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-setup-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

describe('the fingerprint of sources', () => {
  /** @param {string[]} [values] */
  const of = values => fingerprint(folder, [join(folder, 'cpp'), join(folder, 'CMakeLists.txt')], values)
  beforeEach(() => {
    mkdirSync(join(folder, 'cpp', 'core'), { recursive: true })
    writeFileSync(join(folder, 'cpp', 'core', 'a.cc'), 'int a;')
    writeFileSync(join(folder, 'CMakeLists.txt'), 'project(x)')
  })

  test('stays the same when only times change', () => {
    const before = of()
    utimesSync(join(folder, 'cpp', 'core', 'a.cc'), 1, 1)
    expect(of()).toBe(before)
  })

  test.each([
    ['a changed byte', () => writeFileSync(join(folder, 'cpp', 'core', 'a.cc'), 'int b;')],
    ['a new file', () => writeFileSync(join(folder, 'cpp', 'b.cc'), '')],
    ['a removed file', () => rmSync(join(folder, 'CMakeLists.txt'))],
    [
      'text moved from one file to the next',
      () => {
        writeFileSync(join(folder, 'CMakeLists.txt'), 'project(x')
        writeFileSync(join(folder, 'cpp', 'core', 'a.cc'), ')int a;')
      }
    ]
  ])('changes with %s', (_name, change) => {
    const before = of()
    change()
    expect(of()).not.toBe(before)
  })

  test('changes with the values it is given, such as another LibTorch', () => {
    expect(of(['/a', '2.13.0'])).not.toBe(of(['/b', '2.13.0']))
  })
})

describe('records', () => {
  test('are read back as written', () => {
    writeRecord(join(folder, 'new', 'record.json'), { sources: 'abc' })
    expect(readRecord(join(folder, 'new', 'record.json'))).toEqual({ sources: 'abc' })
  })

  test('that are missing or cut off count as none', () => {
    expect(readRecord(join(folder, 'none.json'))).toBeUndefined()
    writeFileSync(join(folder, 'half.json'), '{"sources": "ab')
    expect(readRecord(join(folder, 'half.json'))).toBeUndefined()
  })
})

describe('npm packages', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0' },
      'node_modules/b-win32': { version: '2.0.0', optional: true }
    }
  }

  test('are up to date when npm installed these versions; those of other platforms may be absent', () => {
    expect(
      outdated(lock, { packages: { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } } })
    ).toEqual([])
  })

  test('are outdated when one is missing or has another version', () => {
    expect(outdated(lock, { packages: { 'node_modules/a': { version: '1.0.1' } } })).toEqual(['node_modules/a', 'node_modules/b'])
    expect(outdated(lock, {})).toEqual(['node_modules/a', 'node_modules/b'])
  })
})

describe('requirements', () => {
  /** @param {string} name @param {string} text */
  const file = (name, text) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  test('are exact pins, with those of included files; comments and empty lines are left out', () => {
    file('requirements.txt', '# why\ntorch==2.13.0  # first\n\nsafetensors==0.8.0\n')
    expect(pins(file('test.txt', '-r requirements.txt\npytest==9.2.0'))).toEqual([
      { name: 'torch', version: '2.13.0' },
      { name: 'safetensors', version: '0.8.0' },
      { name: 'pytest', version: '9.2.0' }
    ])
  })

  test.each(['torch>=2', 'torch', '--pre'])('%s is refused', line => {
    expect(() => pins(file('loose.txt', line))).toThrow(
      `Expected "name==version" in ${join(folder, 'loose.txt')} but found "${line}".`
    )
  })
})
