import { presetValues } from '../../internal.js'
import type { Preset } from '../../options/sampling.js'
import type { Work } from '../jobs/work.js'
import type { ModelFacts } from '../models/model.js'

/** Work without steps, and with next to none, takes time too. */
const LEAST = 0.05

/** The options that say how long work takes. */
interface Measures {
  width?: number
  height?: number
  priorSteps?: number
  priorTimesteps?: readonly number[]
  decoderSteps?: number
  decoderTimesteps?: readonly number[]
  preset?: Preset
}

/**
 * What work takes, in pictures with the model's defaults: what an owner's share and the time that a job waits are counted in.
 * Each step costs the same, in proportion to the pixels.
 */
export function costOf(work: Work, { defaults, manifest }: ModelFacts): number {
  const { width = defaults.width, height = defaults.height, ...measures } = work.options as Measures
  const whole = presetValues(manifest, 'reference')
  const preset = presetValues(manifest, measures.preset ?? 'reference')
  const stepsOf = (given: number | undefined, list: readonly number[] | undefined, otherwise: number) =>
    given ?? (list === undefined ? otherwise : list.length - 1)
  const prior = stepsOf(measures.priorSteps, measures.priorTimesteps, preset.priorSteps)
  const decoder = stepsOf(measures.decoderSteps, measures.decoderTimesteps, preset.decoderSteps)
  const steps = {
    generate: prior + decoder,
    edit: prior + decoder,
    vary: prior + decoder,
    decode: decoder,
    embedText: prior,
    embedImage: 0
  }[work.kind]
  const share = steps / (whole.priorSteps + whole.decoderSteps)
  const area = (width * height) / (defaults.width * defaults.height)
  return Math.max(LEAST, Number((share * area).toFixed(4))) * work.images
}
