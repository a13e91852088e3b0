// What was measured, as a table and as the model card's figure.
import { drawChart } from '../../dist/bench/chart.js'
import { table } from '../markdown.mjs'
/** @import { CardResults, CaseName } from '../card.mjs' */

/** Left and right, as on the card. */
const PANELS = [
  { title: 'without torch.compile', cases: /** @type {CaseName[]} */ (['torchscript', 'eager', 'sdxl']) },
  { title: 'compiled', cases: /** @type {CaseName[]} */ (['aoti', 'compiled', 'sdxl-compiled']) }
]

/** @param {CardResults} results */
export function cardFigure({ cases, options, machine, date }) {
  const panels = PANELS.map(({ title, cases: names }) => ({
    title,
    xLabel: 'images a call',
    yLabel: 'seconds a call',
    series: names.flatMap(name => {
      const found = cases[name]
      if (found === undefined) return []
      const points = found.batches.map(({ batch, seconds: { median, min, max } }) => ({
        x: batch,
        y: median,
        low: min,
        high: max
      }))
      return [{ name: found.label, points }]
    })
  })).filter(({ series }) => series.length > 0)
  const footer = `${machine.gpu ?? machine.cpu.model}, ${options.dtype}, LibTorch ${machine.torch}, random weights (${options.config}), ${date.slice(0, 10)}`
  return drawChart(`Time of a call, ${options.width}×${options.height}`, panels, footer)
}

/** @param {CardResults} results */
export function cardTable({ cases, unavailable }) {
  const sizes = [...new Set(Object.values(cases).flatMap(({ batches }) => batches.map(({ batch }) => batch)))]
  return table([
    ['Seconds a call', ...sizes.map(size => `${size} image${size === 1 ? '' : 's'}`), 'Pixels differ from diffusers by, of 255'],
    ...Object.values(cases).map(({ label, batches, difference }) => [
      label,
      ...sizes.map(size => batches.find(({ batch }) => batch === size)?.seconds.median.toPrecision(3) ?? ''),
      difference === undefined ? '' : `${difference.mean.toFixed(3)} (${difference.max})`
    ]),
    ...Object.entries(unavailable).map(([name, why]) => [`${name}: not available: ${why}`, ...sizes.map(() => ''), ''])
  ])
}
