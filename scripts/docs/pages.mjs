import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join, posix } from 'node:path'
import { root } from '../setup/paths.mjs'

const LINK = /(\]\()([^)\s]+)(\))/g
/** Files whose text says what language it is in are shown as code. */
const LANGUAGES = /** @type {Record<string, string>} */ ({
  '.mjs': 'js',
  '.ts': 'ts',
  '.sh': 'sh',
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.service': 'ini'
})

/**
 * The pages of the site, by the path of their source in the repository: the same files that GitHub and the package show.
 * @returns {Map<string, string>} source → page
 */
export function sourcePages() {
  const docs = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md'))
  return new Map([
    ['README.md', 'index.md'],
    ['CONTRIBUTING.md', 'contributing.md'],
    ['CHANGELOG.md', 'changelog.md'],
    ...docs.map(name => /** @type {[string, string]} */ ([`docs/${name}`, name]))
  ])
}

/**
 * Writes the pages to a folder, with links that lead to where each page is there. A file of the repository that a page links to
 * becomes a page itself, with the file's text, and a folder one with a list. So the site needs no repository to link to.
 * @param {string} folder
 * @returns {Map<string, string>} source → page, of the pages proper
 */
export function writePages(folder) {
  const pages = sourcePages()
  /** @type {Set<string>} */
  const linked = new Set()
  /** @param {string} target path in the repository */
  const pageOf = target => {
    const page = pages.get(target)
    if (page !== undefined) return page
    if (target.startsWith('docs/pictures/')) return target.slice('docs/'.length)
    linked.add(target)
    return fileOf(target)
  }
  for (const [source, page] of pages) {
    const text = readFileSync(join(root, source), 'utf8').replace(LINK, (whole, before, link, after) => {
      if (/^([a-z]+:|#)/.test(link)) return whole
      const [path = '', fragment] = link.split('#', 2)
      const target = posix.join(posix.dirname(source), path).replace(/\/$/, '')
      const relative = posix.relative(posix.dirname(page), pageOf(target))
      return `${before}${relative.startsWith('.') ? relative : `./${relative}`}${fragment === undefined ? '' : `#${fragment}`}${after}`
    })
    write(join(folder, page), text)
  }
  cpSync(join(root, 'docs', 'pictures'), join(folder, 'pictures'), { recursive: true })
  cpSync(join(root, 'lib', 'server', 'page', 'icon.svg'), join(folder, 'public', 'icon.svg'))
  for (const path of linked) writeFile(folder, path)
  return pages
}

/** @param {string} path in the repository */
const fileOf = path => `files/${path}${isFolder(path) ? '/index' : ''}.md`

/** @param {string} path */
const isFolder = path => statSync(join(root, path)).isDirectory()

/**
 * A page with the text of a file; or one with the list of a folder, and a page for each of its files.
 * @param {string} folder
 * @param {string} path
 */
function writeFile(folder, path) {
  if (!existsSync(join(root, path))) throw new Error(`Expected ${path}, which a page links to`)
  if (!isFolder(path)) return write(join(folder, fileOf(path)), codePage(path))
  const files = readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
    .filter(name => !isFolder(join(path, name)))
    .sort()
  for (const name of files) writeFile(folder, posix.join(path, name))
  const list = files.map(name => `- [${name}](./${name}.md)`).join('\n')
  write(join(folder, fileOf(path)), `${UNSEARCHED}# ${path}\n\n${list}\n`)
}

/** Their words are not what somebody looks for. */
const UNSEARCHED = '---\nsearch: false\nlastUpdated: false\n---\n\n'

/** @param {string} path */
function codePage(path) {
  const text = readFileSync(join(root, path), 'utf8').trimEnd()
  const language = basename(path) === 'Dockerfile' ? 'docker' : (LANGUAGES[extname(path)] ?? '')
  // More backticks than any that the text has.
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${UNSEARCHED}# ${path}\n\n${fence}${language}\n${text}\n${fence}\n`
}

/** @param {string} file @param {string} text */
export function write(file, text) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
