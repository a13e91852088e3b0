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
