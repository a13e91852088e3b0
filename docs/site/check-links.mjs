import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Parser } from 'htmlparser2'

/**
 * The links and pictures of a built site that lead to a file or an anchor which it does not have. Nothing outside is asked.
 * @param {string} site the folder
 * @param {string} base the path that it will be at on its server
 * @returns {{ page: string, link: string, problem: string }[]}
 */
export function brokenLinks(site, base) {
  const pages = new Map(
    readdirSync(site, { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.html'))
      .map(name => [name, namesIn(readFileSync(join(site, name), 'utf8'))])
  )
  return [...pages].flatMap(([page, { links }]) =>
    [...links].flatMap(link => {
      const problem = problemOf(new URL(link, `http://site${base}${page}`), { site, base, pages })
      return problem === undefined ? [] : [{ page, link, problem }]
    })
  )
}

/** @param {URL} target */
function problemOf({ origin, pathname, hash }, { site, base, pages }) {
  if (origin !== 'http://site') return undefined
  if (!pathname.startsWith(base)) return 'outside of the site'
  const path = decodeURIComponent(pathname.slice(base.length))
  const file = path === '' || path.endsWith('/') ? `${path}index.html` : path
  if (!existsSync(join(site, file)) || !statSync(join(site, file)).isFile()) return 'no such file'
  const anchor = decodeURIComponent(hash.slice(1))
  return anchor === '' || pages.get(file)?.ids.has(anchor) ? undefined : 'no such anchor'
}

/** @param {string} html */
function namesIn(html) {
  const [links, ids] = [new Set(), new Set()]
  const parser = new Parser({
    onopentag(_, { href, src, id, name }) {
      for (const link of [href, src]) if (link !== undefined) links.add(link)
      for (const anchor of [id, name]) if (anchor !== undefined) ids.add(anchor)
    }
  })
  parser.end(html)
  return { links, ids }
}
