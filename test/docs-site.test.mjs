import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { summaryOf } from '../scripts/docs/llms.mjs'
import { navigation, rowsOf } from '../scripts/docs/navigation.mjs'
import { sourcePages, writePages } from '../scripts/docs/pages.mjs'
import { root } from '../scripts/setup/paths.mjs'

/** @type {string} */
let folder
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wuerstchen-docs-'))
  writePages(folder)
})
afterAll(() => rmSync(folder, { recursive: true }))

const pages = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md'))

test('every link of a page of the site leads to a page or a picture of the site', () => {
  const links = pages().flatMap(page =>
    // What a file's own text says within a fence is no link.
    [...readFileSync(join(folder, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => ({ page, link }))
      .filter(({ link }) => !/^([a-z]+:|#)/.test(link) && !/^files\/.*(?<!index)\.md$/.test(page))
  )
  expect(links.length).toBeGreaterThan(200)
  expect(
    links.filter(({ page, link }) => !existsSync(join(folder, dirname(page), /** @type {string} */ (link.split('#')[0]))))
  ).toEqual([])
})

test("the README's table of questions leads to every page, and the sidebar has its questions", () => {
  const rows = rowsOf(readFileSync(join(folder, 'index.md'), 'utf8'))
  const linked = rows.flatMap(({ links }) => links.map(({ link }) => link.slice(1)))
  expect(linked.sort()).toEqual([...sourcePages().values()].filter(name => !['index.md', 'changelog.md'].includes(name)).sort())
  expect(navigation(folder)[0]?.items?.map(({ text }) => text)).toEqual(rows.map(({ question }) => question))
})

test('a file that a page links to is a page with its text, whatever fences the text has', () => {
  const source = readFileSync(join(root, 'examples', 'edit.mjs'), 'utf8').trimEnd()
  expect(readFileSync(join(folder, 'files', 'examples', 'edit.mjs.md'), 'utf8')).toContain(`\n\`\`\`js\n${source}\n\`\`\`\n`)
  expect(readFileSync(join(folder, 'files', 'examples', 'index.md'), 'utf8')).toContain('- [edit.mjs](./edit.mjs.md)')
})

test('a page is summed up by its first sentence, without its code and its links', () => {
  expect(
    summaryOf(
      '---\nx: 1\n---\n\n# A \\[b\\]\n\n```sh\nrun it.\n\nand that.\n```\n\n![c](d.png)\n\nSee [this](e.md) 1.5 times: it\nhelps. More.\n'
    )
  ).toEqual({
    title: 'A [b]',
    summary: 'See this 1.5 times: it helps.'
  })
})
