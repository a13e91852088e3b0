import { invalid, WuerstchenError } from '../errors.js'
import type { Manifest } from '../model/manifest.js'
import { presetNames } from '../model/presets.js'
import { copyList } from '../options/read.js'
import { DEFAULT_SAMPLER, type Preset, type Sampler, type Scalars } from '../options/sampling.js'
import { timestepsFrom } from './strength.js'
import { spacedTimesteps, timestepsOf } from './timesteps.js'

/** How one stage is sampled. */
export interface Sampling {
  timesteps: Float64Array
  sampler: Sampler
  guidanceScale: number
  /** The timesteps from and to which guidance works. */
  guidanceInterval: readonly [number, number]
}

export const WHOLE_INTERVAL: Sampling['guidanceInterval'] = [0, 1]

type Given = Readonly<Partial<Record<'priorTimesteps' | 'priorGuidanceInterval' | 'decoderTimesteps', unknown>>>
type Numbers = Pick<Manifest, 'name' | 'constants' | 'defaults' | 'presets'>

/** The prior's sampling: the call's values, then those of its preset, then the model's defaults. */
export function priorSampling(scalars: Scalars<'generate'>, given: Given, manifest: Numbers): Sampling {
  const { defaults, constants } = manifest
  const preset = presetOf(scalars.preset, manifest)
  const sampler = scalars.priorSampler ?? preset.priorSampler ?? DEFAULT_SAMPLER
  const steps = scalars.priorSteps ?? (given.priorTimesteps === undefined ? preset.priorSteps : undefined)
  return {
    sampler,
    timesteps: timestepsOf('prior', given.priorTimesteps, steps, {
      spaced: count => spacedTimesteps(count, sampler, constants.scheduler.prior),
      fallback: () => Float64Array.from(defaults.priorTimesteps)
    }),
    guidanceScale: scalars.priorGuidanceScale ?? defaults.priorGuidanceScale,
    guidanceInterval: intervalOf(given.priorGuidanceInterval) ?? preset.priorGuidanceInterval ?? WHOLE_INTERVAL
  }
}

/**
 * The prior's sampling where it starts from an image: its share of the steps, from the noise level of the strength.
 * @returns null at strength 0, where there is nothing to denoise
 */
export function priorSamplingFrom(
  strength: number,
  scalars: Scalars<'vary'>,
  given: Given,
  hasPrompt: boolean,
  manifest: Numbers
): Sampling | null {
  const { defaults, constants } = manifest
  const preset = presetOf(scalars.preset, manifest)
  const guidanceInterval = intervalOf(given.priorGuidanceInterval) ?? preset.priorGuidanceInterval ?? WHOLE_INTERVAL
  if (constants.embeddingStd === undefined) {
    throw new WuerstchenError(
      'MODEL_MISMATCH',
      'Expected a model whose manifest has constants.embeddingStd, which strength is measured by, but it has none. Export it with --image-encoder',
      { subject: 'strength' }
    )
  }
  if (strength === 0) return null
  const steps = scalars.priorSteps ?? preset.priorSteps ?? defaults.priorTimesteps.length - 1
  return {
    sampler: scalars.priorSampler ?? preset.priorSampler ?? DEFAULT_SAMPLER,
    timesteps: timestepsFrom(strength, constants.embeddingStd / constants.latentMean, constants.scheduler.prior, steps),
    guidanceScale: scalars.priorGuidanceScale ?? (hasPrompt ? defaults.priorGuidanceScale : 0),
    guidanceInterval
  }
}

/** The decoder's sampling: the call's values, then those of its preset, then the model's defaults. */
export function decoderSampling(scalars: Scalars<'decode'>, given: Given, manifest: Numbers): Sampling {
  const { defaults, constants } = manifest
  const preset = presetOf(scalars.preset, manifest)
  const sampler = scalars.decoderSampler ?? preset.decoderSampler ?? DEFAULT_SAMPLER
  const spaced = (count: number) => spacedTimesteps(count, sampler, constants.scheduler.decoder)
  const steps = scalars.decoderSteps ?? (given.decoderTimesteps === undefined ? preset.decoderSteps : undefined)
  return {
    sampler,
    timesteps: timestepsOf('decoder', given.decoderTimesteps, steps, { spaced, fallback: () => spaced(defaults.decoderSteps) }),
    guidanceScale: scalars.decoderGuidanceScale ?? defaults.decoderGuidanceScale,
    guidanceInterval: WHOLE_INTERVAL
  }
}

/** @throws WuerstchenError MODEL_MISMATCH for a preset that the model does not have */
function presetOf(name: Preset | undefined, { name: model, presets }: Numbers): NonNullable<Numbers['presets']>['fast'] & object {
  if (name === undefined || name === 'reference') return {}
  const preset = presets?.[name]
  if (preset !== undefined) return preset
  throw new WuerstchenError(
    'MODEL_MISMATCH',
    `Expected ${presetNames({ presets }).join(' or ')} for preset, which is what the model ${model} has, but received ${name}`,
    { subject: 'preset' }
  )
}

function intervalOf(value: unknown): readonly [number, number] | undefined {
  if (value === undefined) return undefined
  const list = copyList('priorGuidanceInterval', value, 2)
  const [from, to] = list ?? []
  if (list?.length !== 2 || typeof from !== 'number' || typeof to !== 'number' || !(from >= 0 && from <= to && to <= 1))
    throw invalid('priorGuidanceInterval', 'two rising numbers from 0 to 1', list ?? value)
  return [from, to]
}
