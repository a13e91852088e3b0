import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './support/small-model.js'

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(file => file.endsWith('.md'))
    .map(file => join('docs', file))
]

/** The anchor that a heading gets: lower case, no punctuation, hyphens for spaces. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

test.each(pages)('every link of %s within the repository leads somewhere', page => {
  const text = readFileSync(join(root, page), 'utf8')
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1]!).filter(link => !/^[a-z]+:/.test(link))
  const broken = links.filter(link => {
    const [path, fragment] = link.split('#', 2) as [string, string | undefined]
    const target = path === '' ? join(root, page) : join(root, dirname(page), path)
    if (!existsSync(target)) return true
    return (
      fragment !== undefined &&
      ![...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].some(match => anchor(match[1]!) === fragment)
    )
  })
  expect(broken).toEqual([])
})

test('every file that CONTRIBUTING.md and the architecture name is there', () => {
  const named = ['CONTRIBUTING.md', 'docs/architecture.md'].flatMap(page =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/`((?:lib|cpp|scripts|test|docs|bench)\/[\w./-]+)`/g)].map(
      ([, path]) => path!
    )
  )
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter(path => !existsSync(join(root, path)))).toEqual([])
})
