import { DEFAULT_SAMPLER, PRESETS, type Preset } from '../options/sampling.js'
import type { Manifest } from './manifest.js'

/** The presets that a model has. */
export function presetNames({ presets }: Pick<Manifest, 'presets'>): Preset[] {
  return PRESETS.filter(preset => preset === 'reference' || presets?.[preset] !== undefined)
}

/** Samplers and steps of a preset that the model has; what it leaves out is as in the model's defaults. */
export function presetValues({ presets, defaults }: Pick<Manifest, 'presets' | 'defaults'>, name: Preset) {
  const preset = name === 'reference' ? {} : (presets?.[name] ?? {})
  return {
    priorSampler: preset.priorSampler ?? DEFAULT_SAMPLER,
    priorSteps: preset.priorSteps ?? defaults.priorTimesteps.length - 1,
    decoderSampler: preset.decoderSampler ?? DEFAULT_SAMPLER,
    decoderSteps: preset.decoderSteps ?? defaults.decoderSteps
  }
}
