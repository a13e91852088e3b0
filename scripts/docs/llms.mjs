import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { write } from './pages.mjs'
import { rowsOf } from './navigation.mjs'

/**
 * Writes what language models read (https://llmstxt.org): `llms.txt` with a line a page, `llms-full.txt` with all of them, and
 * each page as it was written, under its own name.
 * @param {{ pages: string, site: string, address: string | undefined, names: string[], reference: string[] }} options
 */
export function writeLlms({ pages, site, address, names, reference }) {
  const read = (/** @type {string} */ name) => readFileSync(join(pages, name), 'utf8')
  const readme = read('index.md')
  const questions = new Map(
    rowsOf(readme).flatMap(({ question, links }) => links.map(({ link }) => /** @type {const} */ ([link.slice(1), question])))
  )
  const line = (/** @type {string} */ name) => {
    const { title, summary } = summaryOf(read(name))
    return `- [${title}](${address ?? ''}/${name}): ${[questions.get(name), summary].filter(Boolean).join(' ')}`
  }
  // In the order of the table, and what is not in it behind.
  const order = [...questions.keys(), ...names.filter(name => !questions.has(name))].filter(name => name !== 'index.md')
  const { title, summary } = summaryOf(readme)
  const sections = [
    `# ${title}\n\n> ${summary}`,
    `## Documentation\n\n${order.map(line).join('\n')}`,
    `## API reference\n\n${reference.map(line).join('\n')}`
  ]
  write(join(site, 'llms.txt'), `${sections.join('\n\n')}\n`)
  const all = ['index.md', ...order, ...reference]
  write(join(site, 'llms-full.txt'), all.map(name => `<!-- ${name} -->\n\n${withoutFrontmatter(read(name)).trim()}\n`).join('\n'))
  for (const name of all) write(join(site, name), read(name))
}

/** A page's title, and the first sentence of its first paragraph. @param {string} page */
export function summaryOf(page) {
  const blocks = withoutFrontmatter(page)
    .replace(/^(`{3,})[\s\S]*?^\1$/gm, '')
    .trim()
    .split(/\n\s*\n/)
  const title =
    blocks
      .find(block => block.startsWith('# '))
      ?.slice(2)
      .trim() ?? ''
  const paragraph = blocks.find(block => /^[\p{L}`*[“"]/u.test(block)) ?? ''
  const plain = paragraph
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  const [sentence = ''] = /^.*?[.!?](?= |$)/.exec(plain) ?? [plain]
  return { title: title.replace(/\\(.)/g, '$1'), summary: sentence.replace(/:$/, '.') }
}

/** @param {string} page */
const withoutFrontmatter = page => page.replace(/^---\n[\s\S]*?\n---\n/, '')
