import { readFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { quantile } from '../fleet/statistics.mjs'
import { table, withSection } from '../markdown.mjs'
import { root } from '../places.mjs'
import { loadObjection } from '../quotable.mjs'

/** @import { Cell } from '../markdown.mjs' */
/** @typedef {{ name: string, aim: string, seen: string, met: boolean }} Target */
/** What a mode of scale.mjs found. @typedef {{ tables: [Cell[], ...Cell[][]][], targets: Target[], figures: object }} Outcome */
/** @typedef {{ model: string, short: boolean, say: (line: string) => void }} ModeOptions */

/** Read before anything is measured. */
const LOAD = loadavg()[0] ?? 0

/**
 * As Markdown, or as JSON with all that was measured.
 * @param {Outcome} outcome @param {boolean} json
 */
export function outcomeText({ tables, targets, figures }, json) {
  if (json) return JSON.stringify({ ...machine(), targets, figures }, null, 1)
  const { cpu, cores, date, load } = machine()
  const rows = targets.map(({ name, aim, seen, met }) => [name, aim, seen, met ? 'met' : 'missed'])
  return [
    `${cpu}, ${cores} cores, ${date.slice(0, 10)}, load average ${load} at the start:`,
    ...tables.map(each => table(each)),
    ...(rows.length === 0 ? [] : [table([['Target', 'Aim', 'Seen', ''], ...rows])])
  ].join('\n\n')
}

/**
 * Puts what a mode found into docs/scale.md.
 * @param {string} mode @param {Outcome} outcome
 */
export async function writeOutcome(mode, outcome) {
  const page = join(root, 'docs', 'scale.md')
  await writeFile(page, withSection(await readFile(page, 'utf8'), `scale ${mode}`, outcomeText(outcome, false)))
}

/** Why nothing that is measured now may be quoted. */
export const whyNotQuoted = () => loadObjection(LOAD)

function machine() {
  const [first] = cpus()
  return { cpu: first?.model, cores: cpus().length, date: new Date().toISOString(), load: Number(LOAD.toFixed(2)) }
}

/**
 * The middle, with the smallest and the largest.
 * @param {readonly number[]} values @param {(value: number) => string} format
 */
export function spread(values, format) {
  return `${format(quantile(values, 0.5))} [${format(Math.min(...values))}–${format(Math.max(...values))}]`
}

/** How many of the values are as they should be. @param {readonly number[]} values @param {(value: number) => boolean} holds */
export function shareOf(values, holds) {
  return `${values.filter(holds).length} of ${values.length}`
}

/** @param {number} value */
export const ms = value => `${value.toFixed(Math.abs(value) < 100 ? 1 : 0)} ms`
/** @param {number} value */
export const seconds = value => `${value.toFixed(2)} s`
/** @param {number} value */
export const plain = value => value.toFixed(2)
/** @param {number} value */
export const ratio = value => value.toFixed(3)
