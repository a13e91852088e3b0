import type { Manifest } from '../model/manifest.js'

type Scheduler = Manifest['constants']['scheduler']['prior']

/** The schedule's own limits of ᾱ (diffusers 0.42.1, schedulers/scheduling_ddpm_wuerstchen.py). */
const [LEAST, MOST] = [1e-4, 0.9999]

/**
 * The noise level that a strength stands for. A strength of s asks for noise of ν = tan(s · π/2) times the spread of what it
 * is added to: 0 none, 0.5 as much as there is signal, 1 nothing but noise. With √ᾱ · x + √(1−ᾱ) · noise that is
 * √((1−ᾱ)/ᾱ) = ν · spread, solved for t with the inverse of the cosine schedule
 * ᾱ(t) = cos²(((t+σ)/(1+σ)) · π/2) / cos²((σ/(1+σ)) · π/2).
 * Where the spread is 1, t is the strength itself but for the offset σ.
 *
 * @param strength 0 to 1
 * @param spread standard deviation of what the noise is added to, in the space where it is added
 * @returns t above 0, up to 1; below the schedule's smallest noise, that
 */
export function timestepOf(strength: number, spread: number, { scaler, s }: Scheduler): number {
  if (strength >= 1) return 1
  const ratio = Math.tan((strength * Math.PI) / 2) * spread
  const alpha = 1 / (1 + ratio * ratio)
  if (alpha <= LEAST) return 1
  const start = Math.cos(((s / (1 + s)) * Math.PI) / 2) ** 2
  const angle = Math.acos(Math.sqrt(Math.min(MOST, alpha) * start))
  const level = Math.min(1, (angle / (Math.PI / 2)) * (1 + s) - s)
  // The schedule scales t first: 1 − (1 − t)^scaler above 1, t^scaler below.
  return scaler > 1 ? 1 - (1 - level) ** (1 / scaler) : level ** (1 / scaler)
}

/**
 * Noise levels from a strength's own down to 0, equally far apart: of `steps` full steps the share that the strength
 * is, at least one.
 */
export function timestepsFrom(strength: number, spread: number, scheduler: Scheduler, steps: number): Float64Array {
  const start = timestepOf(strength, spread, scheduler)
  const count = Math.max(1, Math.ceil(steps * strength))
  return Float64Array.from({ length: count + 1 }, (_, index) => start * (1 - index / count))
}
