import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../scripts/setup/paths.mjs'

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** @type {string[]} */
const files = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore']
  })
)[0].files.map((/** @type {{ path: string }} */ { path }) => path)

// npm runs node-gyp for a package that has a binding.gyp and no script of its own, from a lock file even against "gypfile":
// false.
test('the package has nothing that npm would build or run', () => {
  expect(files.filter(name => /(^|\/)binding\.gyp$/.test(name))).toEqual([])
  const lifecycle = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare', 'dependencies']
  expect(lifecycle.filter(name => name in scripts)).toEqual([])
})

test('the package has what the set-up builds from, and nothing that was built here', () => {
  for (const name of [
    'CMakeLists.txt',
    'cpp/loader/loader.cc',
    'cpp/addon/addon.cc',
    'scripts/setup.mjs',
    'lib/install/folders.mjs'
  ])
    expect(files).toContain(name)
  expect(files.filter(name => /^(build|test|node_modules)\/|\.node$|tsconfig/.test(name))).toEqual([])
})
