/** What a row of a table says about repeated measurements. */
export interface Summary {
  samples: number
  min: number
  mean: number
  p50: number
  p90: number
  p99: number
  max: number
}

/**
 * The value below which `share` of the measurements lie, interpolated between the two nearest (numpy's default). With n samples,
 * the outermost 1/n say little: p99 of ten is nearly their maximum. Therefore tables print n beside it.
 * @param sorted ascending, at least one
 * @param share from 0 to 1
 */
export function percentile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

export function median(values: readonly number[]): number {
  return percentile(ascending(values), 0.5)
}

export function summarise(values: readonly number[]): Summary {
  const sorted = ascending(values)
  return {
    samples: sorted.length,
    min: sorted[0]!,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1)!
  }
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}
