#!/usr/bin/env node
/**
 * Plays everybody who may install the package: package managers, runtimes, compilers, bundlers and frameworks. Publishes to a
 * registry on loopback, as rehearse.mjs does, and plays each of consumers/ in an empty folder. Every cell makes the same image,
 * which is decoded and compared. Ends with 1 if one of them fails.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { SetupError } from '../setup/error.mjs'
import { main, options } from '../setup/main.mjs'
import { cells } from './consumers/cells.mjs'
import { play } from './consumers/play.mjs'
import { table } from './consumers/table.mjs'
import { publishAll, startRegistry } from './registry.mjs'

const help = `Usage: node scripts/release/consumers.mjs --addons DIR --libtorch DIR [--only PATTERN] [--keep DIR] [--list]

  --addons DIR     what scripts/release/addons.mjs made
  --libtorch DIR   the LibTorch that everybody has
  --only PATTERN   a regular expression: only cells whose group and name match it
  --keep DIR       work in DIR and leave it: the next run fetches less, and its table has the last result of every cell
  --list           print the names of the cells, and end`

main(async () => {
  const values = options({
    addons: { type: 'string' },
    libtorch: { type: 'string' },
    only: { type: 'string', default: '' },
    keep: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' }
  })
  if (values.help) return console.log(help)
  const pattern = new RegExp(values.only, 'i')
  const chosen = cells.filter(({ group, name }) => pattern.test(`${group}: ${name}`))
  if (values.list) return console.log(chosen.map(({ group, name }) => `${group}: ${name}`).join('\n'))
  if (!values.addons || !values.libtorch)
    throw new SetupError('Expected --addons and --libtorch.', ['Run it with --help to see the options.'])
  const work = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'wuerstchen-consumers-'))
  mkdirSync(work, { recursive: true })
  const registry = await startRegistry(work)
  const record = join(work, 'results.json')
  /** The last result of each cell by its name. @type {Record<string, import('./consumers/play.mjs').Result[]>} */
  const last = readRecord(record) ?? {}
  try {
    publishAll({ work, addons: resolve(values.addons), registry })
    for (const cell of chosen) {
      const results = await play(cell, { work, registry: registry.address, libtorch: resolve(values.libtorch) })
      // The first image is what all others are compared with.
      const reference = Object.values(last)
        .flat()
        .find(({ pixels }) => pixels !== undefined)?.pixels
      for (const result of results)
        if (reference !== undefined && result.pixels !== undefined && result.pixels !== reference)
          result.failure = `Expected the image ${reference} but it is ${result.pixels}`
      last[cell.name] = results
      writeRecord(record, last)
      for (const { does, failure, seconds } of results) {
        console.log(`${failure === undefined ? 'ok    ' : 'FAILS '} ${cell.name}: ${does} (${seconds.toFixed(1)} s)`)
        if (failure !== undefined) console.log(failure.slice(-4000).replaceAll(/^/gm, '         '))
      }
      if (!values.keep) rmSync(join(work, 'cells'), { recursive: true, force: true })
    }
  } finally {
    registry.server.kill()
    if (!values.keep) rmSync(work, { recursive: true, force: true })
  }
  console.log(`\n${table(cells, last)}`)
  const failed = chosen.filter(({ name }) => last[name]?.some(({ failure }) => failure !== undefined))
  console.log(`\n${chosen.length - failed.length} of ${chosen.length} as promised`)
  if (failed.length > 0) process.exitCode = 1
})
