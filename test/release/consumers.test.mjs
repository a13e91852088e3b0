import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { expect, test } from 'vitest'
import { cells } from '../../scripts/release/consumers/cells.mjs'
import { blocks, used } from '../../scripts/release/consumers/page.mjs'
import { root } from '../../scripts/setup/paths.mjs'

// They need a registry and minutes, so npm test does not play them.
test.each(['frameworks.md', 'ci.md'])('a consumer runs each block of docs/%s', page => {
  const all = [...blocks(page).keys()]
  expect(all.length).toBeGreaterThan(2)
  expect(all.filter(name => !used.has(name))).toEqual([])
})

test('the documents have the last result of every consumer', () => {
  const page = readFileSync(join(root, 'docs', 'verification.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (.+?) \| (.+?) \| .+ \| ok \|$/gm)].map(([, group, name]) => `${group}: ${name}`)
  expect(rows).toEqual(cells.map(({ group, name }) => `${group}: ${name}`))
})

test('consumers have names of their own, exact versions and an image', () => {
  expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length)
  const versions = cells.flatMap(({ dependencies, tools, node }) => [
    ...Object.values({ ...dependencies, ...tools }),
    ...(node === undefined ? [] : [node])
  ])
  expect(versions.filter(version => semver.valid(version) !== version)).toEqual([])
  for (const { steps } of cells) expect(steps.some(({ picture }) => picture !== undefined)).toBe(true)
})
