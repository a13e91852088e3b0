/** @param {readonly number[]} values */
export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * The value below which a share of the values lies, by nearest rank.
 * @param {readonly number[]} values @param {number} share from 0 to 1
 */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
