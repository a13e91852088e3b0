// Which results may be written into the documents.
import { LABELS } from './cases.mjs'
/** @import { Results } from './report.mjs' */

/** Above it, something else runs: one busy core of a minute ago is 1. */
export const LARGEST_LOAD = 0.3
/** Rounds that differ by more were disturbed, whatever the load says: another virtual machine's work does not show in it. */
export const LARGEST_SPREAD = 0.1

/**
 * Why results may not be quoted: an empty list if they may.
 * @param {Pick<Results, 'machine' | 'settings' | 'cases'>} results
 */
export function objections({ machine, settings, cases }) {
  const busy = loadObjection(machine.loadAverage)
  const unsteady = settings.flatMap(({ width, height, batch, figures }) =>
    cases.flatMap(name => {
      const time = figures[name]?.total ?? figures[name]?.generate
      if (time === undefined || time.max / time.min - 1 <= LARGEST_SPREAD) return []
      const percent = ((time.max / time.min - 1) * 100).toFixed(0)
      return [
        `Expected rounds that agree within ${LARGEST_SPREAD * 100} % but those of ${LABELS[name]}, ${width}×${height}, ${batch}, differ by ${percent} %`
      ]
    })
  )
  return [...(busy === undefined ? [] : [busy]), ...unsteady]
}

/** @param {number} load the load average at the start */
export function loadObjection(load) {
  return load <= LARGEST_LOAD
    ? undefined
    : `Expected a load average of at most ${LARGEST_LOAD} at the start but it was ${load.toFixed(2)}: wait until nothing else runs`
}
