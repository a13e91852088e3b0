#!/usr/bin/env node
/** Makes the folder that `npm publish` takes for the main package. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { SetupError } from '../setup/error.mjs'
import { main, options } from '../setup/main.mjs'
import { emptyFolder } from '../setup/out-folder.mjs'
import { root } from '../setup/paths.mjs'
import { buildTypescript } from '../setup/typescript.mjs'
import { makeLinksAbsolute } from './links.mjs'

const help = `Usage: node scripts/release/stage.mjs --out DIR --addons DIR … (--repository URL | --local)

  --out DIR          the folder that npm publish takes
  --addons DIR       what scripts/release/addons.mjs made; once for each system
  --repository URL   the public repository, as in https://github.com/someone/wuerstchen: for package.json, and for the pictures
                     of the pages, which are then not in the package. It must have the tag of the version
  --local            for a registry of your own: no repository, and the pictures are in the package`

/** What only the repository uses. Without `scripts`, npm has nothing to run for a consumer. */
const ofTheRepository = ['scripts', 'devDependencies', 'overrides', 'gypfile']

main(() => {
  const values = options({
    out: { type: 'string' },
    addons: { type: 'string', multiple: true },
    repository: { type: 'string' },
    local: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' }
  })
  if (values.help) return console.log(help)
  if (!values.out || !values.addons) throw new SetupError('Expected --out and --addons.')
  if (!values.repository === !values.local)
    throw new SetupError('Expected --repository or --local.', [
      'To publish for everybody, name the public repository: npm shows it, and the pages link to it.',
      'For a registry of your own, give --local.'
    ])
  const repository = values.local ? undefined : checkedRepository(values.repository)
  const out = resolve(values.out)
  const addons = values.addons.map((/** @type {string} */ folder) => {
    const { name, version } = readRecord(join(resolve(folder), 'package.json')) ?? {}
    if (!name?.startsWith('@wuerstchen/'))
      throw new SetupError(`Expected what scripts/release/addons.mjs made for --addons but received ${folder}.`)
    return { name, version }
  })
  buildTypescript()
  // A clone has no such dependencies.
  emptyFolder(out, folder => readRecord(join(folder, 'package.json'))?.optionalDependencies !== undefined)
  // What npm would publish, and nothing else.
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], { cwd: root, encoding: 'utf8' })
  )
  execFileSync('tar', ['-xzf', join(out, filename), '-C', out, '--strip-components=1'])
  rmSync(join(out, filename))
  const own = /** @type {Record<string, any>} */ (readRecord(join(out, 'package.json')))
  for (const name of ofTheRepository) delete own[name]
  for (const { name, version } of addons)
    if (version !== own.version)
      throw new SetupError(`Expected version ${own.version} of ${name} but it is ${version}: make it anew.`)
  own.optionalDependencies = Object.fromEntries(addons.map((/** @type {any} */ { name, version }) => [name, version]))
  if (repository !== undefined) {
    // Two megabytes in every install, for pages that few read there.
    rmSync(join(out, 'docs', 'pictures'), { recursive: true })
    own.files = own.files.filter((/** @type {string} */ name) => name !== 'docs/pictures')
    makeLinksAbsolute(out, { repository, version: own.version })
    own.repository = { type: 'git', url: `git+${repository}.git` }
    own.homepage = `${repository}#readme`
    own.bugs = { url: `${repository}/issues` }
  }
  writeRecord(join(out, 'package.json'), own)
  console.log(out)
  // Packages that lie in no registry are installed together, else npm looks for the addons in one, and goes on without them.
  console.error(`To install from here: npm pack ${[out, ...values.addons].join(' ')}, then npm install with all of these files`)
})

/**
 * The address without what its forms differ in.
 * @param {string} address
 */
function checkedRepository(address) {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const path = url?.pathname.replace(/\/+$/, '').replace(/\.git$/, '') ?? ''
  if (url?.protocol !== 'https:' || !/^\/[^/]+\/.+/.test(path) || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new SetupError(`Expected https://HOST/OWNER/NAME for --repository but received ${address}.`)
  return `${url.origin}${path}`
}
