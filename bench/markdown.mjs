// Figures as people read them.

/** @import { Spread } from './results.mjs' */

/** @typedef {string | number} Cell */

/** @param {[head: Cell[], ...rows: Cell[][]]} lines */
export function table([head, ...rows]) {
  return [head, head.map(() => '---'), ...rows]
    .map(row => `| ${row.map(cell => String(cell).replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

/**
 * A spread: the middle of the rounds with the smallest and the largest; nothing where nothing was measured.
 * @param {Spread | undefined} figure
 * @param {(value: number) => string} format
 */
export function range(figure, format) {
  if (figure === undefined) return ''
  return figure.rounds.length === 1
    ? format(figure.median)
    : `${format(figure.median)} [${format(figure.min)}–${format(figure.max)}]`
}

/** @param {number} value */
export function milliseconds(value) {
  return value < 10_000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`
}

/** @param {number} value */
export function megabytes(value) {
  return `${(value / 1e6).toFixed(0)} MB`
}

/** @param {number} value */
export function share(value) {
  return value.toFixed(2)
}

/**
 * A page with another text between the marks of that name.
 * @param {string} page @param {string} name @param {string} text
 * @throws {Error} where the marks are not there
 */
export function withSection(page, name, text) {
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const [before, after] = [page.indexOf(start), page.indexOf(end)]
  if (before < 0 || after < before) throw new Error(`Expected the marks ${start} and ${end} but they are not there`)
  return `${page.slice(0, before)}${start}\n\n${text}\n\n${page.slice(after)}`
}
