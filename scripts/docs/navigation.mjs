import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** @typedef {{ text: string, link?: string, collapsed?: boolean, items?: Item[] }} Item */

/**
 * The sidebar: the questions of the README's table of the documentation, and the API reference.
 * @param {string} folder the folder with the pages
 * @returns {Item[]}
 */
export function navigation(folder) {
  const readme = readFileSync(join(folder, 'index.md'), 'utf8')
  const questions = rowsOf(readme).map(({ question, links }) => {
    const items = links.map(({ text, link }) => ({ text, link }))
    const [only] = items
    return items.length === 1 && only !== undefined
      ? { text: question, link: only.link }
      : { text: question, collapsed: true, items }
  })
  return [
    { text: 'Documentation', items: questions },
    { text: 'API reference', items: referenceItems(folder) },
    { text: 'Changes', link: '/changelog.md' }
  ]
}

/**
 * The rows of the README's table: a question, and the pages that answer it.
 * @param {string} readme with links as the site has them
 */
export function rowsOf(readme) {
  const [, table = ''] = /^## Documentation\n[^|]*((?:\|.*\n)+)/m.exec(readme) ?? []
  const rows = [...table.matchAll(/^\| ([^|]*\?) \| (.*) \|$/gm)].map(([, question = '', cell = '']) => ({
    question,
    links: [...cell.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, text = '', link = '']) => ({
      text: `${text[0]?.toUpperCase()}${text.slice(1)}`,
      link: posix.join('/', link)
    }))
  }))
  if (rows.length === 0) throw new Error('Expected a table of questions below "Documentation" in README.md')
  return rows
}

/** @param {string} folder @returns {Item[]} */
function referenceItems(folder) {
  const reference = join(folder, 'reference')
  /** @type {[string, string][]} */
  const entries = [
    ['wuerstchen', 'wuerstchen'],
    ['wuerstchen/server', 'wuerstchen/server']
  ]
  /** @type {[string, string][]} */
  const kinds = [
    ['classes', 'Classes'],
    ['functions', 'Functions'],
    ['interfaces', 'Interfaces'],
    ['type-aliases', 'Types'],
    ['variables', 'Values']
  ]
  return entries.map(([text, path]) => ({
    text,
    link: `/reference/${path}/index.md`,
    collapsed: true,
    items: kinds
      .filter(([kind]) => existsSync(join(reference, path, kind)))
      .map(([kind, name]) => ({
        text: name,
        collapsed: kind !== 'classes',
        items: readdirSync(join(reference, path, kind))
          .sort()
          .map(file => ({ text: file.replace(/\.md$/, ''), link: `/reference/${path}/${kind}/${file}` }))
      }))
  }))
}
