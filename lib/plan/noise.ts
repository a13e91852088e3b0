import type { Manifest } from '../model/manifest.js'

export type Scheduler = Manifest['constants']['scheduler']['prior']

/** The schedule's own limits of ᾱ (diffusers 0.42.1, schedulers/scheduling_ddpm_wuerstchen.py). */
const [LEAST, MOST] = [1e-4, 0.9999]

/**
 * The share of the signal at a timestep, ᾱ(t) = cos²(((t+σ)/(1+σ)) · π/2) / cos²((σ/(1+σ)) · π/2), within the schedule's limits.
 * The schedule first scales t: 1 − (1 − t)^scaler if the scaler is above 1, t^scaler if it is below.
 */
function alphaOf(t: number, { scaler, s }: Scheduler): number {
  const level = scaler > 1 ? 1 - (1 - t) ** scaler : t ** scaler
  const cosine = (x: number) => Math.cos(((x + s) / (1 + s)) * (Math.PI / 2)) ** 2
  return Math.min(MOST, Math.max(LEAST, cosine(level) / cosine(0)))
}

/** The timestep of a share of the signal: 1 for the least one, and never below the schedule's smallest noise. */
export function timestepOfAlpha(alpha: number, { scaler, s }: Scheduler): number {
  if (alpha <= LEAST) return 1
  const start = Math.cos(((s / (1 + s)) * Math.PI) / 2) ** 2
  const angle = Math.acos(Math.sqrt(Math.min(MOST, alpha) * start))
  const level = Math.min(1, (angle / (Math.PI / 2)) * (1 + s) - s)
  return scaler > 1 ? 1 - (1 - level) ** (1 / scaler) : level ** (1 / scaler)
}

/** λ = ½·ln(ᾱ/(1−ᾱ)), half the logarithm of the signal-to-noise ratio. */
export function lambdaOf(t: number, scheduler: Scheduler): number {
  const alpha = alphaOf(t, scheduler)
  return Math.log(alpha / (1 - alpha)) / 2
}

export function timestepOfLambda(lambda: number, scheduler: Scheduler): number {
  return timestepOfAlpha(1 / (1 + Math.exp(-2 * lambda)), scheduler)
}
