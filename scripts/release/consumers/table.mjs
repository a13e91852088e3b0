/**
 * The table of docs/verification.md.
 * @param {readonly import('./cell.mjs').Cell[]} cells
 * @param {Record<string, import('./play.mjs').Result[]>} last the results by the name of the cell
 */
export function table(cells, last) {
  const rows = cells.flatMap(({ group, name, needs = 'nothing' }) => {
    const results = last[name]
    if (results === undefined) return []
    const failed = results.find(({ failure }) => failure !== undefined)
    const done = results.filter(({ failure }) => failure === undefined).map(({ does }) => does)
    return [`| ${group} | ${name} | ${done.join(', ')} | ${needs} | ${failed ? `**${failed.does} fails**` : 'ok'} |`]
  })
  return ['| | Consumer | What was done | Needs | |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}
