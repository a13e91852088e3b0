#!/usr/bin/env node
/**
 * Makes a fresh clone (or an installed package) ready: npm packages, LibTorch, the addon, the TypeScript. It needs only Node.
 * Each step first checks whether there is something to do, so running it again takes little time.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeRecord } from '../lib/install/fingerprint.mjs'
import { isClone, prebuiltAddons, recordFile, setupFolder } from '../lib/install/folders.mjs'
import { minorOf, torchRange, torchRelease } from '../lib/install/version.mjs'
import { main, options } from './setup/main.mjs'
import { say } from './setup/run.mjs'
import { installNpmPackages } from './setup/npm.mjs'
import { provideLibtorch, providePython } from './setup/provide.mjs'
import { buildNative, checkWritable } from './setup/native.mjs'
import { provideClients } from './setup/clients.mjs'
import { provideFuzzer } from './setup/fuzzer.mjs'
import { provideS3 } from './setup/s3.mjs'
import { buildTypescript } from './setup/typescript.mjs'
import { checkPlatform } from './setup/platform.mjs'
import { checkBuildTools } from './setup/tools.mjs'

const libtorchHelp = `LibTorch ${torchRange}
                         looked for in this order: WUERSTCHEN_LIBTORCH, LIBTORCH, what the last set-up used, the torch package of
                         an active virtual environment, of python3, of python; else torch ${torchRelease} is installed with pip`
const optOut = `To opt out of the download of LibTorch, set WUERSTCHEN_LIBTORCH to the folder (with lib/) of one you have.`

const helpOfClone = `Usage: node scripts/setup.mjs [--tests]

Makes everything ready that is missing or out of date:
  1. npm packages        npm ci, from package-lock.json
  2. ${libtorchHelp} into .venv
  3. the addon           CMake, into build/
  4. TypeScript          tsc, into dist/
  --tests                also what the tests need: the C++ tests, Python packages into .venv and build/fuzz-venv, clients of the
                         server into build/clients and build/clients-venv, a server that speaks S3 into build/s3-venv

${optOut}
Nothing is written outside this folder.`

const helpOfPackage = `Usage: wuerstchen setup [--build]

Makes everything ready that is missing:
  1. ${libtorchHelp}
  2. the addon           comes with the package, for LibTorch ${torchRange}; where it does not, it is built
  --build                build the addon on this machine, with cmake and a C++20 compiler, and use that one

${optOut}
Everything is written to ${setupFolder(process.env)} (WUERSTCHEN_ADDON_DIR names another folder).`

/** @param {{ tests?: boolean, build?: boolean }} [options] */
export function setup({ tests = false, build = false } = {}) {
  const start = performance.now()
  checkPlatform()
  installNpmPackages()
  // These are checked before a long download, and not after it.
  checkWritable(process.env)
  if (isClone ? !existsSync(join(setupFolder(process.env), 'Release')) : build) checkBuildTools()
  const libtorch = provideLibtorch(process.env)
  const python = tests ? providePython(libtorch) : libtorch.python
  if (tests && python) {
    provideFuzzer(python)
    provideClients(python)
    provideS3(python)
  }
  if (isClone || build || !isPrebuilt(libtorch.version)) buildNative(libtorch, { tests })
  buildTypescript()
  const { directory, version, source } = libtorch
  writeRecord(recordFile(process.env), { directory, version, python: libtorch.python })
  say(`ready (LibTorch ${version} in ${directory}, ${source}; ${((performance.now() - start) / 1000).toFixed(1)} s)`)
  return { libtorch, python }
}

/** @param {string} version of LibTorch */
function isPrebuilt(version) {
  const folder = prebuiltAddons()
  return folder !== undefined && existsSync(join(folder, `libtorch-${minorOf(version)}`))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(() => {
    const known = isClone ? { tests: { type: 'boolean' } } : { build: { type: 'boolean' } }
    const values = options(/** @type {any} */ ({ ...known, help: { type: 'boolean', short: 'h' } }))
    if (values.help) console.log(isClone ? helpOfClone : helpOfPackage)
    else setup(values)
  })
}
