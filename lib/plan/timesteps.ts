import { invalid } from '../errors.js'
import { kindOfArray, viewOf } from '../options/bytes.js'
import { expectInteger } from '../options/is.js'
import { copyList } from '../options/read.js'
import { MOST_STEPS, type Sampler } from '../options/sampling.js'
import { lambdaOf, timestepOfLambda, type Scheduler } from './noise.js'

/**
 * The reference's schedule for Stage C: linspace(1, 2/3, 20) followed by linspace(2/3, 0, 11) without its first value.
 * 30 values, hence 29 steps. Source: diffusers 0.42.1, pipelines/deprecated/wuerstchen/pipeline_wuerstchen_prior.py.
 */
export const DEFAULT_STAGE_C_TIMESTEPS: readonly number[] = Object.freeze([
  ...linspace(1, 2 / 3, 20),
  ...linspace(2 / 3, 0, 11).slice(1)
])

/** numpy.linspace in float64. */
function linspace(start: number, stop: number, count: number): number[] {
  const size = (stop - start) / (count - 1)
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? stop : index * size + start))
}

/**
 * `steps` equal steps from 1 to 0: `steps + 1` values, bit for bit those of torch.linspace in float32
 * (which counts from both ends, so that each half is exact at its own end, and rounds once: a fused multiply-add).
 * @param steps integer from 1 to 1000
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export function uniformTimesteps(steps: number): Float64Array {
  expectInteger('steps', steps, 1, MOST_STEPS)
  const size = Math.fround(-1 / steps)
  return Float64Array.from({ length: steps + 1 }, (_, index) =>
    index < Math.floor((steps + 1) / 2) ? Math.fround(1 + size * index) : Math.fround(-size * (steps - index))
  )
}

/** How far timesteps are from equal in time towards equal in λ: the best of those measured (docs/samplers.md). */
const TOWARDS_LAMBDA = 0.6
/** Steps that are equal in λ end here, for λ grows without bounds towards 0. The last one goes from here to 0. */
const LAST_LEVEL = 0.01
/** Up to here equal in time is best. */
const MOST_UNIFORM = 2

/**
 * `steps` steps from 1 to 0 as they suit a sampler: those of ddpm are equal in time, as the reference's. Those of ddim and
 * dpm-solver++ lie between equal in time and equal in λ = ½·ln(ᾱ/(1−ᾱ)): few steps that are equal in λ leave the high noise
 * levels too fast, and few that are equal in time the low ones.
 * @throws WuerstchenError INVALID_ARGUMENT
 */
export function spacedTimesteps(steps: number, sampler: Sampler, scheduler: Scheduler): Float64Array {
  const uniform = uniformTimesteps(steps)
  if (sampler === 'ddpm' || steps <= MOST_UNIFORM) return uniform
  const [first, last] = [lambdaOf(1, scheduler), lambdaOf(LAST_LEVEL, scheduler)]
  return uniform.map((level, index) => {
    if (index === 0 || index === steps) return level
    const equalInLambda = timestepOfLambda(first + ((last - first) * index) / (steps - 1), scheduler)
    return level + TOWARDS_LAMBDA * (equalInLambda - level)
  })
}

/** Noise levels of one stage: from the timesteps or the number of steps of a call, else `fallback`. */
export function timestepsOf(
  stage: 'prior' | 'decoder',
  timesteps: unknown,
  steps: number | undefined,
  { spaced, fallback }: { spaced: (steps: number) => Float64Array; fallback: () => Float64Array }
): Float64Array {
  if (timesteps !== undefined && steps !== undefined) {
    throw invalid(`${stage}Steps`, `nothing beside ${stage}Timesteps, which already says how many steps there are,`, steps)
  }
  if (timesteps !== undefined) return expectTimesteps(`${stage}Timesteps`, timesteps)
  if (steps !== undefined) return spaced(steps)
  return fallback()
}

/**
 * Strictly descending noise levels in [0, 1]. Denoising ends at the last one, so n values are n - 1 steps. A list that does not
 * end in 0 leaves noise in the image, exactly as in the reference.
 */
export function expectTimesteps(name: string, value: unknown): Float64Array {
  const expected = `2 to ${MOST_STEPS + 1} strictly descending numbers from 1 to 0`
  const levels = copyList(name, value, MOST_STEPS + 1) ?? copyFloats(value)
  if (levels === undefined || levels.length < 2) throw invalid(name, expected, levels ?? value)
  levels.forEach((level, index) => {
    if (typeof level !== 'number' || !(level >= 0 && level <= 1))
      throw invalid(`${name}[${index}]`, 'a number from 0 to 1', level)
    if (index > 0 && level >= (levels[index - 1] as number))
      throw invalid(`${name}[${index}]`, `a number below ${String(levels[index - 1])}`, level)
  })
  return Float64Array.from(levels as number[])
}

const FLOAT_ARRAYS: Readonly<Record<string, typeof Float64Array | typeof Float32Array>> = { Float64Array, Float32Array }

/** The elements of a Float64Array or a Float32Array of any realm, undefined for anything else and for too many. */
function copyFloats(value: unknown): number[] | undefined {
  const array = FLOAT_ARRAYS[kindOfArray(value) ?? '']
  const bytes = viewOf(value)
  if (array === undefined || bytes === undefined) return undefined
  const count = bytes.length / array.BYTES_PER_ELEMENT
  return count > MOST_STEPS + 1 ? undefined : [...new array(bytes.buffer, bytes.byteOffset, count)]
}
