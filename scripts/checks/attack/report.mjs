import { parseArgs } from 'node:util'
/** @import { Outcome } from './children.mjs' */

/** What every check of this folder takes. */
const COMMON = /** @type {const} */ ({
  count: { type: 'string' },
  seed: { type: 'string' },
  only: { type: 'string' },
  kinds: { type: 'string' },
  lanes: { type: 'string' },
  limit: { type: 'string' },
  verbose: { type: 'boolean' },
  child: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' }
})

/** A kind that does not exist ends the search here. */
const MOST_NUMBERS = 10_000_000

/**
 * The options of a check, with defaults.
 * @param {string} usage printed for --help
 * @param {{ count: number, limitMs: number }} defaults
 * @param {(seed: number, index: number) => string} [kindOf] for a check that can leave kinds out
 */
export function checkOptions(usage, { count, limitMs }, kindOf) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: COMMON })
  if (values.help) {
    console.log(
      `${usage}\n  --count N    cases (default: ${count})\n  --seed N     of all of them (default: 1)\n  --only A,B   these cases alone, with what each gave\n  --kinds A,B  so many cases whose kind begins so\n  --lanes N    processes side by side (default: the cores)\n  --limit MS   for a case (default: ${limitMs})\n  --verbose    every case that is not as it should be, as it comes`
    )
    process.exit(0)
  }
  const seed = Number(values.seed ?? 1)
  const only = values.only?.split(',').map(Number)
  const kinds = values.kinds?.split(',')
  if (kinds !== undefined && kindOf === undefined)
    throw new Error('Expected no --kinds: this check does not know them beforehand')
  const isWanted = (/** @type {number} */ index) =>
    kinds === undefined || kinds.some(kind => kindOf?.(seed, index).startsWith(kind))
  function* wanted() {
    for (let index = 0, left = Number(values.count ?? count); left > 0 && index < MOST_NUMBERS; index++)
      if (isWanted(index)) {
        left--
        yield index
      }
  }
  return {
    seed,
    only,
    cases: only ?? [...wanted()],
    lanes: values.lanes === undefined ? undefined : Number(values.lanes),
    limitMs: Number(values.limit ?? limitMs),
    verbose: values.verbose ?? false,
    child: values.child ?? false,
    positionals
  }
}

/**
 * Prints a row for each kind and a column for each outcome, and then the cases that fail, by what they have in common.
 * @param {readonly Outcome[]} outcomes
 * @param {(outcome: Outcome) => boolean} fails
 * @param {{ shown?: number, command: string, noted?: (outcome: Outcome) => boolean }} options `noted`: what is listed too and
 *   does not fail
 * @returns {boolean} whether none fails
 */
export function report(outcomes, fails, { shown = 3, command, noted = () => false }) {
  const columns = [...new Set(outcomes.map(({ outcome }) => outcome))].sort()
  const kinds = [...new Set(outcomes.map(({ kind }) => kind))].sort()
  /** @param {readonly Outcome[]} of */
  const row = of => columns.map(column => String(of.filter(({ outcome }) => outcome === column).length || ''))
  const lines = [
    ['', 'cases', ...columns],
    ...kinds.map(kind => {
      const of = outcomes.filter(each => each.kind === kind)
      return [kind, String(of.length), ...row(of)]
    }),
    ['all', String(outcomes.length), ...row(outcomes)]
  ]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0))) ?? []
  for (const line of lines) {
    console.log(
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')
    )
  }
  const failing = outcomes.filter(fails)
  /** @type {Map<string, Outcome[]>} */
  const groups = new Map()
  for (const each of outcomes.filter(outcome => fails(outcome) || noted(outcome))) {
    const key = `${fails(each) ? 'FAILS' : 'noted'}  ${each.outcome}  ${each.kind}`
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  for (const [key, of] of groups) {
    console.log(
      `\n${key}: ${of.length}, cases ${of
        .slice(0, 12)
        .map(({ index }) => index)
        .join(',')}`
    )
    for (const { index, detail } of of.slice(0, shown))
      console.log(`  ${index}: ${(detail ?? '').replace(/\s+/g, ' ').slice(0, 300)}`)
  }
  console.log(`\n${outcomes.length - failing.length} as they should be, ${failing.length} not. Again: ${command} --only N`)
  return failing.length === 0
}
