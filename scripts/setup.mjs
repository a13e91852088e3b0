#!/usr/bin/env node
/**
 * Makes a fresh clone (or an installed package) ready: npm packages, LibTorch, the addon, the TypeScript. It needs only Node.
 * Each step first checks whether there is something to do, so running it again takes little time.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { torchRelease, torchVersion } from '../lib/install/version.mjs'
import { main, options } from './setup/main.mjs'
import { say } from './setup/run.mjs'
import { installNpmPackages } from './setup/npm.mjs'
import { provideLibtorch, providePython } from './setup/provide.mjs'
import { buildNative } from './setup/native.mjs'
import { provideClients } from './setup/clients.mjs'
import { provideFuzzer } from './setup/fuzzer.mjs'
import { buildTypescript } from './setup/typescript.mjs'
import { checkPlatform } from './setup/platform.mjs'
import { checkBuildTools, checkWritable } from './setup/tools.mjs'
import { root } from './setup/paths.mjs'

/** An installed package has its npm packages from npm and its TypeScript compiled, and comes without tests. */
const isClone = existsSync(join(root, 'tsconfig.build.json'))

const LIBTORCH = `LibTorch ${torchVersion}       looked for in this order: WUERSTCHEN_LIBTORCH, LIBTORCH, the torch package of an active virtual
                         environment, of python3, of python; else torch ${torchRelease} is installed with pip into .venv`

const STEPS = isClone
  ? `  1. npm packages        npm ci, from package-lock.json
  2. ${LIBTORCH}
  3. the addon           cmake-js, into build/
  4. TypeScript          tsc, into dist/
  --tests                also what the tests need: Python packages into .venv and build/fuzz-venv, clients of the server into
                         build/clients and build/clients-venv`
  : `  1. ${LIBTORCH}
  2. the addon           cmake-js, into build/`

const help = `Usage: ${isClone ? 'node scripts/setup.mjs [--tests]' : 'npx wuerstchen setup'}

Makes everything ready that is missing or out of date:
${STEPS}

To opt out of the download of LibTorch, set WUERSTCHEN_LIBTORCH to the folder (with include/ and lib/) of one you have.
Nothing is written outside ${isClone ? 'this folder' : root}.`

/** @param {{ tests?: boolean }} [options] */
export function setup({ tests = false } = {}) {
  const start = performance.now()
  checkPlatform()
  installNpmPackages()
  // This is checked before a long download, and not after it.
  if (!existsSync(join(root, 'build'))) {
    checkWritable()
    checkBuildTools()
  }
  const libtorch = provideLibtorch(process.env)
  const python = tests ? providePython(libtorch) : libtorch.python
  if (tests && python) {
    provideFuzzer(python)
    provideClients(python)
  }
  buildNative(libtorch)
  buildTypescript()
  say(`ready (LibTorch ${libtorch.version}, ${libtorch.source}; ${((performance.now() - start) / 1000).toFixed(1)} s)`)
  return { libtorch, python }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(() => {
    const values = options({ tests: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } })
    if (values.help) console.log(help)
    else setup(values)
  })
}
