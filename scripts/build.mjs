#!/usr/bin/env node
/** Builds the addon and the TypeScript, but does not install npm packages. `binding.gyp` and developers call it. */
import { resolve } from 'node:path'
import { main, options } from './setup/main.mjs'
import { SetupError } from './setup/error.mjs'
import { findLibtorch } from '../lib/install/libtorch.mjs'
import { isSupported, torchRange } from '../lib/install/version.mjs'
import { buildNative } from './setup/native.mjs'
import { provideLibtorch } from './setup/provide.mjs'
import { buildTypescript } from './setup/typescript.mjs'
import { say } from './setup/run.mjs'

const help = `Usage: node scripts/build.mjs [--libtorch DIR] [--any-version] [--out DIR] [--native] [--tests]

  --libtorch DIR  build with the headers of the LibTorch in DIR (default: see node scripts/setup.mjs --help)
  --any-version   accept a LibTorch that is not ${torchRange}, to see whether the sources compile
  --out DIR       build folder (default: build)
  --native        no TypeScript
  --tests         also the C++ tests and wuerstchen-core`

/** @param {string} directory @param {boolean | undefined} anyVersion */
function libtorchIn(directory, anyVersion) {
  const place = { source: '--libtorch', required: true, python: null, directory: () => resolve(directory) }
  const { found, refused } = findLibtorch([place], anyVersion ? () => true : isSupported)
  if (!found) throw new SetupError(`Expected a LibTorch ${torchRange} for --libtorch, but ${refused}.`)
  return found
}

main(() => {
  const values = options({
    libtorch: { type: 'string' },
    'any-version': { type: 'boolean' },
    out: { type: 'string' },
    native: { type: 'boolean' },
    tests: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' }
  })
  if (values.help) return console.log(help)
  const libtorch = values.libtorch ? libtorchIn(values.libtorch, values['any-version']) : provideLibtorch(process.env)
  const built = buildNative(libtorch, { tests: values.tests, ...(values.out && { out: resolve(values.out) }) })
  say(built ? 'the addon is built' : 'the addon is up to date')
  if (!values.native) buildTypescript()
})
