import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../setup/paths.mjs'

/** The blocks that a cell has taken from a page: all others are untried (test/release/consumers.test.mjs). @type {Set<string>} */
export const used = new Set()

/**
 * The code blocks of a page, by the heading that they are under and, if a line before them is only that, their file name.
 * @param {string} page such as `frameworks.md`
 * @returns {Map<string, string>} `heading` or `heading: file`, and the text
 */
export function blocks(page) {
  const found = new Map()
  let heading = ''
  const text = readFileSync(join(root, 'docs', page), 'utf8')
  for (const [, title, file, block] of text.matchAll(/^#+ (.+)$|^(?:`([^`\n]+)`:\n\n)?^```\w*\n([^]*?)^```$/gm)) {
    if (title !== undefined) heading = title
    else found.set(`${page}#${heading}${file === undefined ? '' : `: ${file}`}`, block)
  }
  return found
}

/**
 * A code block of a page: what the page tells people to write is what is tried.
 * @param {string} page
 * @param {string} heading
 * @param {string} [file]
 */
export function block(page, heading, file) {
  const name = `${page}#${heading}${file === undefined ? '' : `: ${file}`}`
  const text = blocks(page).get(name)
  if (text === undefined) throw new Error(`Expected a code block ${name}`)
  used.add(name)
  return text
}

/** The commands of a block of the shell. @param {string} page @param {string} heading @param {string} [file] */
export function commands(page, heading, file) {
  return block(page, heading, file)
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
}
