#!/usr/bin/env node
/**
 * `npm run docs`: builds the site of the documentation, with the API reference, into a folder that any web server can serve.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SetupError } from './setup/error.mjs'
import { main, options } from './setup/main.mjs'
import { outdated } from './setup/npm.mjs'
import { emptyFolder } from './setup/out-folder.mjs'
import { root } from './setup/paths.mjs'
import { run, say } from './setup/run.mjs'
import { writeLlms } from './docs/llms.mjs'
import { navigation } from './docs/navigation.mjs'
import { write, writePages } from './docs/pages.mjs'
import { referencePages, writeReference } from './docs/reference.mjs'

const help = `Usage: npm run docs -- [--out DIR] [--address URL]

  --out DIR       where the site goes (default: build/docs)
  --address URL   the address that it will have, as in https://example.org/wuerstchen/. Its path is the base of all links, and
                  there is a sitemap.xml. Default: the root of a server, and no sitemap`

const tools = join(root, 'docs', 'site')
const bin = (/** @type {string} */ name) => join(tools, 'node_modules', '.bin', name)

main(async () => {
  const values = options({ out: { type: 'string' }, address: { type: 'string' }, help: { type: 'boolean', short: 'h' } })
  if (values.help) return console.log(help)
  // Within the tools' folder: what Vite makes of the pages imports packages from there.
  const work = join(tools, 'build')
  const site = resolve(values.out ?? join(root, 'build', 'docs'))
  const address = values.address === undefined ? undefined : checkedAddress(values.address)
  const pages = join(work, 'pages')

  emptyFolder(site, folder => folder === join(root, 'build', 'docs') || existsSync(join(folder, 'llms.txt')))
  installTools()
  rmSync(pages, { recursive: true, force: true })
  say('the API reference, from the types')
  writeReference(join(pages, 'reference'))
  const names = [...writePages(pages).values()]
  write(join(work, 'navigation.json'), JSON.stringify(navigation(pages), null, 2))
  say('the site')
  run(bin('vitepress'), ['build', tools, '--outDir', site], {
    cwd: tools,
    env: { ...process.env, DOCS_WORK: work, DOCS_ADDRESS: address?.href ?? '' },
    fixes: ['Read the first error above.']
  })
  writeLlms({
    pages,
    site,
    address: address?.href.replace(/\/$/, ''),
    names,
    reference: referencePages(join(pages, 'reference'))
  })
  say('its links')
  await checkLinks(site, address?.pathname ?? '/')
  console.log(site)
})

/** The generator has a lock file of its own, so that npm ci in the root brings none of it. */
function installTools() {
  const read = (/** @type {string} */ file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {})
  const installed = read(join(tools, 'node_modules', '.package-lock.json'))
  if (outdated(read(join(tools, 'package-lock.json')), installed).length === 0) return
  say('npm ci (docs/site)')
  run('npm', ['ci', '--ignore-scripts'], { cwd: tools })
}

/** @param {string} text */
function checkedAddress(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new SetupError(`Expected an address of the web for --address but received ${text}.`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/**
 * Every link and anchor within the site leads somewhere.
 * @param {string} site
 * @param {string} base the path that the site will be at
 */
async function checkLinks(site, base) {
  // Not a literal: the compiler would look for packages that only this command installs.
  const { brokenLinks } = await import(pathToFileURL(join(tools, 'check-links.mjs')).href)
  /** @type {{ page: string, link: string, problem: string }[]} */
  const found = brokenLinks(site, base)
  const broken = found.map(({ page, link, problem }) => `${page}: ${link}: ${problem}`)
  if (broken.length > 0) throw new SetupError(`Expected links that lead somewhere but these do not:\n${broken.join('\n')}`)
}
