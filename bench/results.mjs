// From the samples of all rounds to figures: medians, spreads, and ratios within a round.
import { median } from '../dist/bench/statistics.js'

/** The middle of the rounds, with the smallest and the largest: what a figure's noise is read from. */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values }
}

/** Paired, so that a machine whose speed drifts from round to round still compares. */
export function ratio(samples, others, figure) {
  const pairs = samples.map((sample, round) => figure(sample) / figure(others[round])).filter(value => Number.isFinite(value))
  return pairs.length === 0 ? undefined : spread(pairs)
}

const FIGURES = {
  total: ({ times }) => (times.total === undefined ? NaN : median(times.total)),
  generate: ({ times }) => median(times.generate),
  cold: ({ cold }) => (cold === undefined ? NaN : cold.picture),
  peak: ({ peakBytes }) => peakBytes
}

/**
 * @param samples by case: one sample a round, with `times`, `cold`, `peakBytes` and `difference` (to the eager peer's pixels)
 * @returns by case: each figure's spread, and its ratio to the same figure of both peers and of our TorchScript in the same round
 */
export function figuresOf(samples) {
  const rows = {}
  for (const [name, rounds] of Object.entries(samples)) {
    const row = (rows[name] = { difference: worst(rounds.map(({ difference }) => difference)) })
    for (const [figure, of] of Object.entries(FIGURES)) {
      const values = rounds.map(of)
      if (values.every(Number.isFinite)) row[figure] = spread(values)
    }
    row.against = {}
    for (const other of ['eager', 'compiled', 'torchscript']) {
      if (other === name || samples[other] === undefined) continue
      row.against[other] = Object.fromEntries(
        Object.entries(FIGURES).map(([figure, of]) => [figure, ratio(rounds, samples[other], of)])
      )
    }
  }
  return rows
}

function worst(differences) {
  const known = differences.filter(difference => difference !== undefined)
  return known.length === 0
    ? undefined
    : { max: Math.max(...known.map(({ max }) => max)), mean: Math.max(...known.map(({ mean }) => mean)) }
}

/**
 * Whether two pictures of the same seed are the same picture. Rounding differs between kernels and grows over 41 steps: on average
 * less than half a step of 255 where it was measured. Another seed, prompt or guidance differs by tens.
 */
export function samePicture({ mean }) {
  return mean <= 0.5
}
