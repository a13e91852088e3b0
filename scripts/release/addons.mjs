#!/usr/bin/env node
/** Makes the npm package of prebuilt addons for this system, one addon for each LibTorch that is named. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ADDON, BUILD_RECORD, LOADER } from '../../lib/install/folders.mjs'
import { readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { findLibtorch } from '../../lib/install/libtorch.mjs'
import { minorOf, torchRange } from '../../lib/install/version.mjs'
import { SetupError } from '../setup/error.mjs'
import { main, options } from '../setup/main.mjs'
import { buildNative } from '../setup/native.mjs'
import { emptyFolder } from '../setup/out-folder.mjs'
import { root } from '../setup/paths.mjs'
import { say } from '../setup/run.mjs'
import { checkFloor } from './floor.mjs'

const help = `Usage: node scripts/release/addons.mjs --out DIR --libtorch DIR … [--build DIR] [--glibc VERSION --glibcxx VERSION]

  --out DIR            the package's folder, made anew: ${`@wuerstchen/${process.platform}-${process.arch}`}
  --libtorch DIR       a LibTorch ${torchRange}: its headers and libtorch_cpu.so are enough. Each minor version once
  --build DIR          where the builds go, kept for the next time (default: build/release)
  --glibc, --glibcxx   the oldest that the addons must run on, where it is not that of scripts/release/floor.mjs`

/** @param {string} directory */
function libtorchIn(directory) {
  const { found, refused } = findLibtorch([
    { source: '--libtorch', required: true, python: null, directory: () => resolve(directory) }
  ])
  if (!found) throw new SetupError(`Expected a LibTorch ${torchRange} for --libtorch, but ${refused}.`)
  return found
}

/**
 * @param {import('../../lib/install/libtorch.mjs').Libtorch} libtorch
 * @param {{ build: string, out: string, allowed: Parameters<typeof checkFloor>[1] }} options
 */
function addAddon(libtorch, { build, out, allowed }) {
  const minor = minorOf(libtorch.version)
  const built = join(build, minor)
  buildNative(libtorch, { out: built })
  const place = join(out, `libtorch-${minor}`)
  mkdirSync(place, { recursive: true })
  for (const name of [ADDON, LOADER]) {
    copyFileSync(join(built, 'Release', name), join(place, name))
    execFileSync('strip', ['--strip-unneeded', join(place, name)])
    const { GLIBC, GLIBCXX } = checkFloor(join(place, name), allowed)
    say(`${minor} ${name}: glibc ${GLIBC}, GLIBCXX ${GLIBCXX}`)
  }
  writeRecord(join(place, BUILD_RECORD), { libtorch: readRecord(join(built, 'Release', BUILD_RECORD))?.libtorch })
  return minor
}

main(() => {
  const values = options({
    out: { type: 'string' },
    libtorch: { type: 'string', multiple: true },
    build: { type: 'string', default: join(root, 'build', 'release') },
    glibc: { type: 'string' },
    glibcxx: { type: 'string' },
    help: { type: 'boolean', short: 'h' }
  })
  if (values.help) return console.log(help)
  if (!values.out || !values.libtorch)
    throw new SetupError('Expected --out and --libtorch.', ['Run it with --help to see the options.'])
  const out = resolve(values.out)
  const allowed = values.glibc && values.glibcxx ? { GLIBC: values.glibc, GLIBCXX: values.glibcxx, CXXABI: '1.3.13' } : undefined
  const libtorches = values.libtorch.map((/** @type {string} */ directory) => libtorchIn(directory))
  emptyFolder(out, folder => readRecord(join(folder, 'package.json'))?.name?.startsWith('@wuerstchen/') === true)
  const minors = libtorches.map((/** @type {import('../../lib/install/libtorch.mjs').Libtorch} */ libtorch) =>
    addAddon(libtorch, { build: resolve(values.build), out, allowed })
  )
  const { version, license, engines } = /** @type {Record<string, any>} */ (readRecord(join(root, 'package.json')))
  writeRecord(join(out, 'package.json'), {
    name: `@wuerstchen/${process.platform}-${process.arch}`,
    version,
    description: `Native addons of wuerstchen for ${process.platform} ${process.arch} and LibTorch ${minors.join(', ')}`,
    license,
    os: [process.platform],
    cpu: [process.arch],
    libc: ['glibc'],
    engines,
    // By name: npm packs nothing of a folder that only a pattern names.
    files: minors.map((/** @type {string} */ minor) => `libtorch-${minor}`)
  })
  copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
  writeFileSync(
    join(out, 'README.md'),
    `The native addons of wuerstchen for LibTorch ${minors.join(', ')}. npm installs them with that package.\n`
  )
  say(`${out}: LibTorch ${minors.join(', ')}`)
})
