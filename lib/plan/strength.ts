import type { Manifest } from '../model/manifest.js'

type Scheduler = Manifest['constants']['scheduler']['prior']

/** The schedule's own limits of ᾱ (diffusers 0.42.1, schedulers/scheduling_ddpm_wuerstchen.py). */
const [LEAST, MOST] = [1e-4, 0.9999]

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
export function timestepOf(strength: number, spread: number, { scaler, s }: Scheduler): number {
  if (strength >= 1) return 1
  const ratio = Math.tan((strength * Math.PI) / 2) * spread
  const alpha = 1 / (1 + ratio * ratio)
  if (alpha <= LEAST) return 1
  const start = Math.cos(((s / (1 + s)) * Math.PI) / 2) ** 2
  const angle = Math.acos(Math.sqrt(Math.min(MOST, alpha) * start))
  const level = Math.min(1, (angle / (Math.PI / 2)) * (1 + s) - s)
  // The schedule first scales t: 1 − (1 − t)^scaler if the scaler is above 1, t^scaler if it is below.
  return scaler > 1 ? 1 - (1 - level) ** (1 / scaler) : level ** (1 / scaler)
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
