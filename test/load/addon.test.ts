import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WuerstchenError } from '../../lib/errors.js'
import { builtAddon } from '../../lib/install/folders.mjs'
import type { Place } from '../../lib/install/libtorch.mjs'
import { loadFrom } from '../../lib/load/addon.js'
import { chooseAddon } from '../../lib/load/choose.js'
import { addonFiles, addonIn, loaderOf } from '../../lib/load/locations.js'
import { runNode } from '../support/child.js'
import { root as clone } from '../support/small-model.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wuerstchen-load-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

function caught(addons: Parameters<typeof loadFrom>[0], places: Place[]): WuerstchenError {
  try {
    loadFrom(addons, places)
  } catch (error) {
    if (error instanceof WuerstchenError) return error
    throw error
  }
  throw new Error('Expected loadFrom to throw')
}

/** A place with a LibTorch that says to be of a version. */
function place(version: string, { required = false } = {}): Place {
  const directory = join(root, `torch-${version}`)
  mkdirSync(join(directory, 'lib'), { recursive: true })
  writeFileSync(join(directory, 'lib', 'libtorch_cpu.so'), 'no library')
  writeFileSync(join(directory, 'version.py'), `__version__ = '${version}+cpu'\n`)
  return { source: `the place of ${version}`, required, python: null, directory: () => directory }
}

/** A folder with files that say to be an addon for a version. */
function addon(version: string | null) {
  const folder = join(root, `addon-${version}`)
  mkdirSync(folder)
  for (const name of ['wuerstchen.node', 'loader.node']) writeFileSync(join(folder, name), 'loading this fails with an ELF error')
  if (version !== null) writeFileSync(join(folder, 'wuerstchen.build.json'), JSON.stringify({ libtorch: { version } }))
  return addonIn(folder)
}

test('in a clone the build is looked for, whatever the version of LibTorch', () => {
  expect(addonFiles({})[0]?.path).toBe(join(builtAddon({}, '2.13'), 'wuerstchen.node'))
})

describe('which LibTorch is taken', () => {
  const chosen = (addons: Parameters<typeof chooseAddon>[0], places: Place[]) => {
    const choice = chooseAddon(addons, places)
    return 'kind' in choice && choice.kind !== undefined
      ? choice.kind
      : [choice.libtorch!.version, (choice as { addon: { builtFor: string } }).addon.builtFor]
  }

  test.each(['2.11.0', '2.12.1', '2.13.0', '2.14.1', '2.15.0'])('%s has the addon of its minor version', version => {
    const addons = ['2.11.0', '2.12.1', '2.13.0', '2.14.1', '2.15.0'].map(addon)
    expect(chosen(addons, [place(version)])).toEqual([version, version])
  })

  test('the first that an addon was built for, of any patch version', () => {
    expect(chosen([addon('2.13.0')], [place('2.14.1'), place('2.13.1'), place('2.13.0')])).toEqual(['2.13.1', '2.13.0'])
  })

  test('that which the user named, or none', () => {
    const addons = [addon('2.13.0')]
    expect(chosen(addons, [place('2.14.1', { required: true }), place('2.13.0')])).toBe('no addon for it')
    expect(chosen(addons, [place('2.10.0', { required: true }), place('2.13.0')])).toBe('no LibTorch')
  })

  test('of two addons for it, the first', () => {
    const [own, packaged] = [addon('2.13.0'), { path: '/package/wuerstchen.node', builtFor: '2.13.1' }]
    expect(chooseAddon([own, packaged], [place('2.13.0')])).toMatchObject({ addon: own })
    expect(chooseAddon([packaged, own], [place('2.13.0')])).toMatchObject({ addon: packaged })
  })

  test('none without an addon, which is the fault to be named', () => {
    expect(chosen([addon(null)], [place('2.13.0')])).toBe('not built')
  })
})

describe('the error', () => {
  test('without an addon names the places, the package of prebuilt ones and the set-up', () => {
    const nowhere = addonIn(join(root, 'nowhere'))
    const error = caught([nowhere], [])
    expect(error.code).toBe('NATIVE_LOAD_FAILED')
    expect(error.message).toContain(`${nowhere.path}: no addon`)
    expect(error.message).toContain('npx wuerstchen setup')
    expect(error.message).toContain(`@wuerstchen/linux-${process.arch}`)
  })

  test('of a file that is no addon has what the system said', () => {
    const found = addon('2.13.0')
    const error = caught([found], [place('2.13.0')])
    expect(error.code).toBe('NATIVE_LOAD_FAILED')
    expect(error.message).toMatch(/ERR_DLOPEN_FAILED: .*(invalid ELF header|file too short)/)
    expect(error.subject).toBe(join(root, 'addon-2.13.0', 'loader.node'))
  })
})

describe('a library whose end is missing', () => {
  // Too large for the system to say it is short: mapped, it would end the process with SIGBUS.
  const cut = (file: string, out: string) => {
    const bytes = readFileSync(file)
    writeFileSync(out, bytes.subarray(0, bytes.length - 1))
    return out
  }

  test('is named before LibTorch is opened', () => {
    const whole = addonIn(builtAddon({}, '2.13'))
    const there = place(whole.builtFor!)
    const file = cut(loaderOf(whole), join(there.directory()!, 'lib', 'libc10.so'))
    const error = caught([whole], [there])
    expect(error).toMatchObject({ code: 'LIBTORCH_NOT_FOUND', subject: there.directory() })
    expect(error.message).toContain(`${file}: file too short (${statSync(file).size} bytes of ${statSync(file).size + 1})`)
  })

  test('is named where it is the addon', () => {
    const found = addon('2.13.0')
    const file = cut(join(builtAddon({}, '2.13'), 'loader.node'), join(root, 'addon-2.13.0', 'loader.node'))
    expect(caught([found], [place('2.13.0')])).toMatchObject({ code: 'NATIVE_LOAD_FAILED', subject: file })
  })
})

test('the parts of LibTorch are those of its own folder, whatever LD_LIBRARY_PATH has under their names', async () => {
  // The system looks there first, for what one library needs of another.
  for (const name of ['libc10.so', 'libtorch_cpu.so']) writeFileSync(join(root, name), 'part of another LibTorch')
  const script = `
    import { Tensor } from ${JSON.stringify(pathToFileURL(join(clone, 'dist', 'index.js')).href)}
    Tensor.from(new Float32Array(1), [1]).dispose()
    console.log('loaded')`
  const result = await runNode(['--input-type=module', '-e', script], { env: { LD_LIBRARY_PATH: root } })
  expect(result).toMatchObject({ code: 0, stdout: Buffer.from('loaded\n') })
})
