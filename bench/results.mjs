// From the samples of all rounds to figures: medians, spreads, and ratios within a round.
import { median } from '../dist/bench/statistics.js'
/** @import { Difference } from '../scripts/checks/pixels.mjs' */

/**
 * What one fresh process of a case gives. Times are in milliseconds: prompt to pixels, and to PNG; `cold` until the package was
 * imported, the model loaded, and the first image there.
 * @typedef {object} Sample
 * @property {{ generate: number[], total?: number[] }} times
 * @property {number} peakBytes
 * @property {{ imported?: number, loaded?: number, picture: number }} [cold]
 * @property {Difference} [difference] of its pixels to those of the eager peer
 */

/**
 * The middle of the rounds, with the smallest and the largest: what a figure's noise is read from.
 * @typedef {{ median: number, min: number, max: number, rounds: number[] }} Spread
 */

/** @typedef {'total' | 'generate' | 'cold' | 'peak'} Figure */

/**
 * @typedef {object} OwnFigures
 * @property {Difference | undefined} difference
 * @property {Record<string, Partial<Record<Figure, Spread>>>} against by the other case
 */

/** @typedef {OwnFigures & Partial<Record<Figure, Spread>>} Figures of one case */

/**
 * @param {number[]} values
 * @returns {Spread}
 */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values }
}

/**
 * Ratios within a round, so that a machine whose speed drifts from round to round still compares.
 * @template T
 * @param {T[]} samples
 * @param {T[]} others of the same rounds
 * @param {(sample: T) => number} figure
 */
export function ratio(samples, others, figure) {
  const pairs = samples.flatMap((sample, round) => others.slice(round, round + 1).map(other => figure(sample) / figure(other)))
  const finite = pairs.filter(Number.isFinite)
  return finite.length === 0 ? undefined : spread(finite)
}

/** @type {Record<Figure, (sample: Sample) => number>} */
const FIGURES = {
  total: ({ times }) => (times.total === undefined ? NaN : median(times.total)),
  generate: ({ times }) => median(times.generate),
  cold: ({ cold }) => (cold === undefined ? NaN : cold.picture),
  peak: ({ peakBytes }) => peakBytes
}

const FIGURE_ENTRIES = /** @type {[Figure, (sample: Sample) => number][]} */ (Object.entries(FIGURES))

/**
 * Each figure's spread, and its ratio to the same figure of both peers and of our TorchScript in the same round.
 * @param {Record<string, Sample[]>} samples by case: one sample a round
 * @returns {Record<string, Figures>} by case
 */
export function figuresOf(samples) {
  /** @type {Record<string, Figures>} */
  const rows = {}
  for (const [name, rounds] of Object.entries(samples)) {
    /** @type {Figures} */
    const row = { difference: worst(rounds.map(({ difference }) => difference)), against: {} }
    rows[name] = row
    for (const [figure, of] of FIGURE_ENTRIES) {
      const values = rounds.map(of)
      if (values.every(Number.isFinite)) row[figure] = spread(values)
    }
    for (const other of ['eager', 'compiled', 'torchscript']) {
      const others = samples[other]
      if (other === name || others === undefined) continue
      row.against[other] = Object.fromEntries(FIGURE_ENTRIES.map(([figure, of]) => [figure, ratio(rounds, others, of)]))
    }
  }
  return rows
}

/** @param {(Difference | undefined)[]} differences */
function worst(differences) {
  const known = differences.filter(difference => difference !== undefined)
  return known.length === 0
    ? undefined
    : { max: Math.max(...known.map(({ max }) => max)), mean: Math.max(...known.map(({ mean }) => mean)) }
}

/**
 * Whether two images of the same seed are the same image. Rounding differs between kernels and grows over 41 steps: on average
 * less than half a step of 255 where it was measured. Another seed, prompt or guidance differs by tens.
 * @param {Difference} difference
 */
export function samePicture({ mean }) {
  return mean <= 0.5
}
