import { cpus, loadavg } from 'node:os'
import { table } from '../markdown.mjs'
import { quantile } from '../fleet/statistics.mjs'

/** @import { Cell } from '../markdown.mjs' */
/** @typedef {{ name: string, aim: string, seen: string, met: boolean }} Target */
/** What a mode of scale.mjs found. @typedef {{ tables: [Cell[], ...Cell[][]][], targets: Target[], figures: object }} Outcome */
/** @typedef {{ model: string, short: boolean, say: (line: string) => void }} ModeOptions */

/** Read before anything is measured. */
const LOAD = loadavg()[0] ?? 0

/** @param {Outcome} outcome @param {boolean} json */
export function printOutcome({ tables, targets, figures }, json) {
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...machine(), targets, figures }, null, 1)}\n`)
    return
  }
  const { cpu, cores, date, load } = machine()
  process.stdout.write(`${cpu}, ${cores} cores, ${date.slice(0, 10)}, load average ${load} at the start\n\n`)
  for (const each of tables) process.stdout.write(`${table(each)}\n\n`)
  if (targets.length === 0) return
  const rows = targets.map(({ name, aim, seen, met }) => [name, aim, seen, met ? 'met' : 'missed'])
  process.stdout.write(`${table([['Target', 'Aim', 'Seen', ''], ...rows])}\n`)
}

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
