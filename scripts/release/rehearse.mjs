#!/usr/bin/env node
/**
 * A release from publishing to picture, through a registry on this machine: packs and publishes everything to verdaccio on
 * loopback, then plays a user who has Node, npm and a torch, and no compiler. Nothing of it reaches another registry; other
 * packages come from the one that npm is configured with. Ends with 1 at the first thing that is not as promised.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { readRecord } from '../../lib/install/fingerprint.mjs'
import { SetupError } from '../setup/error.mjs'
import { main, options } from '../setup/main.mjs'
import { must, run } from './commands.mjs'
import { publishAll, startRegistry } from './registry.mjs'

const help = `Usage: node scripts/release/rehearse.mjs --addons DIR --libtorch DIR … [--npm VERSION …] [--keep DIR]

  --addons DIR     what scripts/release/addons.mjs made
  --libtorch DIR   a LibTorch that the user has; a picture is made with each
  --npm VERSION    also with this npm (default: only the one that is there)
  --keep DIR       work in DIR and leave it`

/** @param {string} what @param {boolean} isSo @param {string} [details] */
function expect(what, isSo, details = '') {
  console.log(`${isSo ? 'ok    ' : 'FAILS '} ${what}`)
  if (!isSo) throw new SetupError(`Expected: ${what}\n${details}`)
}

/** A PATH with Node and npm alone: no compiler, no cmake, no Python. @param {string} folder @param {string | undefined} npm */
function pathWith(folder, npm) {
  mkdirSync(folder, { recursive: true })
  const found = [join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm'), '/usr/share/nodejs/npm'].find(existsSync)
  const npmFolder = npm ?? found
  if (npmFolder === undefined) throw new SetupError('Expected npm beside Node.', ['Name a version with --npm.'])
  symlinkSync(process.execPath, join(folder, 'node'))
  for (const name of ['npm', 'npx']) symlinkSync(join(npmFolder, 'bin', `${name}-cli.js`), join(folder, name))
  // npm starts what a package calls by the shell, and the commands of packages begin with env.
  for (const name of ['sh', 'env'])
    symlinkSync(existsSync(`/usr/bin/${name}`) ? `/usr/bin/${name}` : `/bin/${name}`, join(folder, name))
  return folder
}

/** What npm must not say of an install. @param {string} text @param {string} what */
function checkQuiet(text, what) {
  // npm names each script that it runs, and shows the command behind a ">".
  const runs = text.split('\n').filter(line => /^npm info run |^> |^gyp |^setup: /.test(line))
  expect(`${what}: no lifecycle script, no build`, runs.length === 0, runs.join('\n'))
  const warnings = text.split('\n').filter(line => /^npm (warn|error)/i.test(line))
  expect(`${what}: no warning`, warnings.length === 0, warnings.join('\n'))
}

/** @param {string} folder @returns {number} bytes */
function bytesOf(folder) {
  return Number(must(['du', '-sb', folder], { cwd: '/', env: process.env }).stdout.split('\t')[0])
}

/**
 * What a user does.
 * @param {string} name
 * @param {{ work: string, registry: string, spec: string[], npm: string | undefined, torches: string[] }} options
 */
function play(name, { work, registry, spec, npm, torches }) {
  const folder = join(work, name)
  const home = join(folder, 'home')
  const cwd = join(folder, 'project')
  for (const each of [home, cwd]) mkdirSync(each, { recursive: true })
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'someone', private: true, type: 'module' }))
  writeFileSync(join(cwd, '.npmrc'), `registry=${registry}\nengine-strict=true\naudit=false\nfund=false\nupdate-notifier=false\n`)
  const kept = Object.fromEntries(
    ['NODE_EXTRA_CA_CERTS', 'TMPDIR'].filter(key => process.env[key]).map(key => [key, process.env[key]])
  )
  const env = { ...kept, HOME: home, PATH: pathWith(join(folder, 'bin'), npm), LANG: 'C.UTF-8' }
  const version = must(['npm', '--version'], { cwd, env }).stdout.trim()
  const what = `${name} (npm ${version}, Node ${process.versions.node})`

  const quiet = ['--foreground-scripts', '--loglevel=info']
  const install = must(['npm', 'install', ...quiet, ...spec], { cwd, env })
  checkQuiet(install.text, `${what}, npm install`)
  const modules = join(cwd, 'node_modules')
  const packages = Object.keys(readRecord(join(modules, '.package-lock.json'))?.packages ?? {}).length
  console.log(`       ${install.seconds.toFixed(1)} s, ${packages} packages, ${(bytesOf(modules) / 1e6).toFixed(0)} MB`)
  expect(
    `${what}: the addons are there, binding.gyp is not`,
    existsSync(join(modules, '@wuerstchen')) && !existsSync(join(modules, 'wuerstchen', 'binding.gyp'))
  )

  for (const torch of torches) {
    const cli = join(modules, 'wuerstchen', 'dist', 'cli', 'main.js')
    const picture = run(['node', cli, 'generate', 'a red heart', '--seed', '7', '--output', 'heart.png', '--json', '--quiet'], {
      cwd,
      env: { ...env, WUERSTCHEN_LIBTORCH: torch }
    })
    const made = picture.status === 0 && statSync(join(cwd, 'heart.png')).size > 1000
    const torchVersion = made ? JSON.parse(picture.stdout).images[0].parameters.versions.torch : ''
    expect(`${what}: a picture with LibTorch ${torchVersion || torch} in ${picture.seconds.toFixed(1)} s`, made, picture.text)
  }
  expect(`${what}: nothing was written beside the project`, !existsSync(join(home, '.cache')))

  rmSync(modules, { recursive: true })
  const ci = must(['npm', 'ci', ...quiet], { cwd, env })
  checkQuiet(ci.text, `${what}, npm ci`)
  console.log(`       ${ci.seconds.toFixed(1)} s`)
  const again = must(
    [
      'node',
      '-e',
      "import('wuerstchen').then(({ Pipeline }) => Pipeline.load()).then(p => p.dispose()).then(() => console.log('loaded'))"
    ],
    {
      cwd,
      env: { ...env, WUERSTCHEN_LIBTORCH: /** @type {string} */ (torches[0]) }
    }
  )
  expect(`${what}: loads after npm ci`, again.stdout.trim() === 'loaded', again.text)
}

main(async () => {
  const values = options({
    addons: { type: 'string' },
    libtorch: { type: 'string', multiple: true },
    npm: { type: 'string', multiple: true, default: [] },
    keep: { type: 'string' },
    help: { type: 'boolean', short: 'h' }
  })
  if (values.help) return console.log(help)
  if (!values.addons || !values.libtorch)
    throw new SetupError('Expected --addons and --libtorch.', ['Run it with --help to see the options.'])
  const addons = resolve(values.addons)
  const torches = values.libtorch.map((/** @type {string} */ folder) => resolve(folder))
  const work = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'wuerstchen-release-'))
  mkdirSync(work, { recursive: true })
  for (const name of ['registry-install', 'tarball-install', ...values.npm.map((/** @type {string} */ v) => `npm-${v}-install`)])
    rmSync(join(work, name), { recursive: true, force: true })
  const registry = await startRegistry(work)
  try {
    const tarballs = publishAll({ work, addons, registry })
    const common = { work, registry: registry.address, torches }
    play('registry-install', { ...common, spec: ['wuerstchen'], npm: undefined })
    play('tarball-install', { ...common, spec: tarballs, npm: undefined, torches: torches.slice(0, 1) })
    for (const version of values.npm) {
      const folder = join(work, `npm-${version}`)
      if (!existsSync(folder))
        must(['npm', 'install', '--prefix', folder, '--no-save', `npm@${version}`], { cwd: work, env: process.env })
      play(`npm-${version}-install`, {
        ...common,
        spec: ['wuerstchen'],
        npm: join(folder, 'node_modules', 'npm'),
        torches: torches.slice(0, 1)
      })
    }
  } finally {
    registry.server.kill()
    if (!values.keep) rmSync(work, { recursive: true, force: true })
  }
  console.log('rehearsed')
})
