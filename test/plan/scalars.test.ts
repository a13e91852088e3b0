import { expect, test } from 'vitest'
import { modelPath, readModel } from '../../lib/model/directory.js'
import type { Call, ScalarName } from '../../lib/options/sampling.js'
import { RECORDED, rowOf, scalarsIn } from '../../lib/options/scalars.js'
import { describeImage } from '../../lib/pipeline/describe.js'
import { modificationOf } from '../../lib/plan/modification.js'
import { planFromText } from '../../lib/plan/plan.js'

/** A scalar of the table is nothing worth where a call takes it and does nothing with it. */

const found = await readModel(modelPath(undefined))
const presets = { balanced: { priorSteps: 12, decoderSampler: 'ddim' }, fast: { priorSampler: 'ddim', decoderSteps: 4 } } as const
const manifest = { ...found.manifest, presets }
const model = { ...found, manifest }
const image = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 } as const
const mask = { data: new Uint8Array(1), width: 1, height: 1, channels: 1 } as const

/** What a call plans with these options, as text. */
function planned(call: Call, options: object): string {
  const given = { prompt: 'a', seeds: undefined, ...options }
  switch (call) {
    case 'generate':
    case 'prior':
      return JSON.stringify(planFromText(call, given, manifest))
    case 'edit':
      return JSON.stringify(modificationOf(call, image, { mask, ...given }, manifest))
    case 'reconstruct':
    case 'vary':
      return JSON.stringify(modificationOf(call, image, given, manifest))
    default:
      throw new Error(`Expected a call that plans without tensors but received ${call}`)
  }
}

/** Two values of a scalar that mean different things. */
function twoValues(name: ScalarName): unknown[] {
  if (name === 'width' || name === 'height') return [128, 256]
  const { check } = rowOf(name)
  if (check.kind === 'choice') return check.values.slice(0, 2)
  return check.kind === 'integer' ? [check.least + 1, check.least + 2] : [check.least, check.least + 0.5]
}

const CALLS = ['generate', 'prior', 'reconstruct', 'vary', 'edit'] as const
const cases = CALLS.flatMap(call => scalarsIn(call).map(name => [call, name] as const))

test.each(cases)('%s does something with %s', (call, name) => {
  // Seeds that are drawn would differ by themselves.
  const rest = name === 'seed' ? {} : { seed: 1 }
  const [one, other] = twoValues(name).map(value => planned(call, { ...rest, [name]: value }))
  expect(one).not.toBe(other)
})

test.each(RECORDED)('files record %s', name => {
  const value = twoValues(name)[1]
  const plan = planFromText('generate', { prompt: 'a', seed: 1, [name]: value }, manifest)
  expect(describeImage(plan, 0, model, { device: 'cpu', dtype: 'float32', torch: '2' })).toMatchObject({ [name]: value })
})
