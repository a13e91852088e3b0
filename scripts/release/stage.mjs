#!/usr/bin/env node
/**
 * Makes the folder that `npm publish` takes for the main package:
 * `node scripts/release/stage.mjs --out DIR --addons DIR [--addons DIR …]`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { SetupError } from '../setup/error.mjs'
import { main, options } from '../setup/main.mjs'
import { root } from '../setup/paths.mjs'
import { buildTypescript } from '../setup/typescript.mjs'

/** What only the repository uses. Without `scripts`, npm has nothing to run for a consumer. */
const ofTheRepository = ['scripts', 'devDependencies', 'overrides', 'gypfile']

main(() => {
  const values = options({ out: { type: 'string' }, addons: { type: 'string', multiple: true } })
  if (!values.out || !values.addons) throw new SetupError('Expected --out and --addons.')
  const out = resolve(values.out)
  buildTypescript()
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  // What npm would publish, and nothing else.
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], { cwd: root, encoding: 'utf8' })
  )
  execFileSync('tar', ['-xzf', join(out, filename), '-C', out, '--strip-components=1'])
  rmSync(join(out, filename))
  const own = /** @type {Record<string, any>} */ (readRecord(join(out, 'package.json')))
  for (const name of ofTheRepository) delete own[name]
  const addons = values.addons.map((/** @type {string} */ folder) => readRecord(join(resolve(folder), 'package.json')))
  for (const { name, version } of addons)
    if (version !== own.version)
      throw new SetupError(`Expected version ${own.version} of ${name} but it is ${version}: make it anew.`)
  own.optionalDependencies = Object.fromEntries(addons.map((/** @type {any} */ { name, version }) => [name, version]))
  writeRecord(join(out, 'package.json'), own)
  console.log(out)
})
