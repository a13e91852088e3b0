import { timestepOfAlpha, type Scheduler } from './noise.js'

/**
 * The noise level that a strength stands for. A strength of s adds noise of ν = tan(s · π/2) times the spread of the signal: none
 * at 0, as much as there is signal at 0.5, and nothing but noise at 1. With √ᾱ · x + √(1−ᾱ) · noise this means √((1−ᾱ)/ᾱ) = ν ·
 * spread. It is solved for t with the inverse of the cosine schedule ᾱ(t) = cos²(((t+σ)/(1+σ)) · π/2) / cos²((σ/(1+σ)) · π/2). If
 * the spread is 1, t is the strength itself except for the offset σ.
 *
 * @param strength 0 to 1
 * @param spread standard deviation of what the noise is added to, in the space where it is added
 * @returns t above 0, up to 1, and never below the schedule's smallest noise
 */
export function timestepOf(strength: number, spread: number, scheduler: Scheduler): number {
  if (strength >= 1) return 1
  const ratio = Math.tan((strength * Math.PI) / 2) * spread
  return timestepOfAlpha(1 / (1 + ratio * ratio), scheduler)
}

/**
 * Equally spaced noise levels from that of a strength down to 0. The number of steps is the strength's share of `steps`, at least
 * one.
 */
export function timestepsFrom(strength: number, spread: number, scheduler: Scheduler, steps: number): Float64Array {
  const start = timestepOf(strength, spread, scheduler)
  const count = Math.max(1, Math.ceil(steps * strength))
  return Float64Array.from({ length: count + 1 }, (_, index) => start * (1 - index / count))
}
