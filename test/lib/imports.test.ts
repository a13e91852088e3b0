import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { root } from '../support/small-model.js'

/** What each file of lib/ imports of lib/, for types too: eslint looks at layers, and at circles of values alone. */
function importsOf(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(file, 'utf8'), true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter(name => name.startsWith('.'))
    .map(name => join(dirname(file), name).replace(/\.js$/, '.ts'))
}

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter(file => /\.(ts|mjs)$/.test(file))
  .map(file => join(root, 'lib', file))
const graph = new Map(files.map(file => [file, importsOf(file)]))

/** A way from a file back to itself. */
function circleFrom(start: string): string[] | undefined {
  const seen = new Set<string>()
  const ways = [[start]]
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    for (const next of graph.get(way.at(-1)!) ?? []) {
      if (next === start) return [...way, next]
      if (!seen.has(next)) ways.push([...way, next])
      seen.add(next)
    }
  }
  return undefined
}

test('every import leads to a file', () => {
  expect(
    [...graph].flatMap(([file, imports]) => imports.filter(name => !existsSync(name)).map(name => `${file}: ${name}`))
  ).toEqual([])
})

test('no file imports itself by a detour, for types neither', () => {
  const circles = files.map(circleFrom).filter(circle => circle !== undefined)
  expect(circles.map(circle => circle.map(file => relative(root, file)).join(' → '))).toEqual([])
})
