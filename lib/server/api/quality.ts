import { z } from 'zod'
import { presetNames } from '../../internal.js'
import type { Preset } from '../../options/sampling.js'
import type { ModelFacts } from '../models/model.js'
import { invalidField } from './error.js'

/** OpenAI's words for how much work goes into an image, and the presets that they stand for. */
const MEANT = {
  auto: 'reference',
  low: 'fast',
  medium: 'balanced',
  high: 'reference',
  standard: 'reference',
  hd: 'reference'
} as const satisfies Record<string, Preset>

type Quality = keyof typeof MEANT
const QUALITIES = Object.keys(MEANT) as Quality[]

/** The field's schema. A strict server takes only words that each of its models has the preset of. */
export function qualityField(models: readonly ModelFacts[], strict: boolean) {
  const words = strict ? QUALITIES.filter(word => models.every(model => hasPreset(model, MEANT[word]))) : QUALITIES
  return z
    .enum(words)
    .nullish()
    .describe(
      'low stands for the preset fast, medium for balanced, all others for reference; beside preset only auto is taken. A model without the preset makes the image as always, and the reply names quality in ignored.'
    )
}

function hasPreset({ manifest }: ModelFacts, preset: Preset): boolean {
  return presetNames(manifest).includes(preset)
}

/** What a request says of quality. The schema has checked that it does not say both. */
export interface QualityBody {
  quality?: Quality | null | undefined
  preset?: Preset | null | undefined
}

/**
 * The preset that a request's quality stands for; null if it asks for one that the model does not have.
 * @throws ApiError for a preset by name that the model does not have
 */
export function presetOf({ quality, preset }: QualityBody, model: ModelFacts): Preset | null | undefined {
  if (preset !== undefined && preset !== null && !hasPreset(model, preset)) {
    const names = presetNames(model.manifest).join(', ')
    throw invalidField('preset', 'invalid_value', `Expected one of the presets of ${model.name} for preset: ${names}`)
  }
  if (quality === undefined || quality === null || quality === 'auto') return undefined
  return hasPreset(model, MEANT[quality]) ? MEANT[quality] : null
}

/** OpenAI's replies say it in these words. */
export const REPLIED_QUALITY = z.enum(['auto', 'low', 'medium', 'high'])

/** The quality that an image was made in. */
export function repliedQuality({ quality }: QualityBody, preset: Preset | null | undefined): z.infer<typeof REPLIED_QUALITY> {
  if (preset === undefined || preset === null || quality === undefined || quality === null) return 'auto'
  return quality === 'low' || quality === 'medium' ? quality : 'high'
}
