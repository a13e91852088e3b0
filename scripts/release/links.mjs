import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const LINK = /(\]\()([^)\s]+)(\))/g

/** @param {string} link */
const isRelative = link => !/^([a-z]+:|#|\/)/.test(link)

/** The pages of a package, relative to its folder. @param {string} folder */
const pagesOf = folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    name => name.endsWith('.md') && !/(^|\/)node_modules\//.test(name)
  )

/**
 * The links of a package's pages to files that it does not have.
 * @param {string} folder the package, as npm would publish it
 * @returns {{ page: string, link: string }[]}
 */
export function deadLinks(folder) {
  return pagesOf(folder).flatMap(page =>
    [...readFileSync(join(folder, page), 'utf8').matchAll(LINK)]
      .map(match => /** @type {string} */ (match[2]))
      .filter(link => isRelative(link) && !existsSync(join(folder, dirname(page), pathIn(link))))
      .map(link => ({ page, link }))
  )
}

/**
 * Gives the dead links of a package's pages an address in the repository, at the tag of its version.
 * @param {string} folder the package, as npm would publish it
 * @param {{ repository: string, version: string }} where
 */
export function makeLinksAbsolute(folder, { repository, version }) {
  for (const page of new Set(deadLinks(folder).map(({ page }) => page))) {
    const file = join(folder, page)
    const text = readFileSync(file, 'utf8').replace(LINK, (whole, before, link, after) => {
      const target = resolve(folder, dirname(page), pathIn(link))
      if (!isRelative(link) || existsSync(target)) return whole
      return `${before}${rawAddress(repository, version, relative(folder, target))}${after}`
    })
    writeFileSync(file, text)
  }
}

/**
 * The address of a file's bytes. GitHub, GitLab, Gitea and Bitbucket all have this form.
 * @param {string} repository
 * @param {string} version
 * @param {string} path
 */
const rawAddress = (repository, version, path) => `${repository}/raw/v${version}/${path}`

/** @param {string} link */
const pathIn = link => decodeURIComponent(/** @type {string} */ (link.split('#', 1)[0]))
