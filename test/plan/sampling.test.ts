import { describe, expect, test } from 'vitest'
import { modelPath, readModel } from '../../lib/model/directory.js'
import { modificationOf } from '../../lib/plan/modification.js'
import { lambdaOf, timestepOfLambda } from '../../lib/plan/noise.js'
import { planFromText } from '../../lib/plan/plan.js'
import { spacedTimesteps, uniformTimesteps } from '../../lib/plan/timesteps.js'

const { manifest } = await readModel(modelPath(undefined))
const presets = {
  fast: { priorSampler: 'dpm-solver++', priorSteps: 8, priorGuidanceInterval: [0.1, 0.9], decoderSampler: 'ddim', decoderSteps: 4 }
} satisfies typeof manifest.presets
const model = { ...manifest, presets }
const image = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 } as const
const PUBLISHED = { scaler: 1, s: 0.008 }

const planned = (options: object) => planFromText('generate', { prompt: 'a', seed: 1, ...options }, model)

describe('a preset', () => {
  test('gives samplers, steps and the interval of guidance', () => {
    const { prior, decoder } = planned({ preset: 'fast' })
    expect(prior).toMatchObject({ sampler: 'dpm-solver++', guidanceInterval: [0.1, 0.9] })
    expect(prior!.timesteps).toEqual(uniformTimesteps(8))
    expect(decoder).toMatchObject({ sampler: 'ddim', guidanceInterval: [0, 1] })
    expect(decoder!.timesteps).toEqual(uniformTimesteps(4))
  })

  test('called reference is what the model has without one', () => {
    expect(planned({ preset: 'reference' })).toEqual(planned({}))
  })

  test('goes behind what is given beside it', () => {
    const options = { preset: 'fast', priorTimesteps: [1, 0.5, 0], priorGuidanceInterval: [0, 1], decoderSampler: 'ddpm' }
    const { prior, decoder } = planned({ ...options, decoderSteps: 3 })
    expect(prior).toMatchObject({ sampler: 'dpm-solver++', guidanceInterval: [0, 1] })
    expect([...prior!.timesteps]).toEqual([1, 0.5, 0])
    expect(decoder).toMatchObject({ sampler: 'ddpm', timesteps: uniformTimesteps(3) })
  })

  test('takes its share of the steps where an image is changed', () => {
    const { prior, decoder } = modificationOf('vary', image, { preset: 'fast', strength: 0.5, seed: 1 }, model)
    expect(prior).toMatchObject({ sampler: 'dpm-solver++', guidanceInterval: [0.1, 0.9] })
    expect(prior!.timesteps).toHaveLength(5)
    expect(decoder!.timesteps).toHaveLength(5)
  })

  test('that the model does not have is refused by its name', () => {
    expect(() => planned({ preset: 'balanced' })).toThrow(
      expect.objectContaining({ code: 'MODEL_MISMATCH', subject: 'preset' }) as Error
    )
  })
})

test.each([[[0.5]], [[0.6, 0.5]], [[0, 1.1]], [[0, 0.5, 1]], [['0', 1]], ['0,1'], [null]])(
  'a guidance interval of %j is refused',
  value => {
    expect(() => planned({ priorGuidanceInterval: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: 'priorGuidanceInterval' }) as Error
    )
  }
)

// Expected values: ½·ln(ᾱ/(1−ᾱ)) of DDPMWuerstchenScheduler._alpha_cumprod (diffusers 0.42.1), as in test/cpp/schedule.test.cc.
test.each([
  [0.05, 0.992007315158844],
  [0.5, 0.4938436448574066],
  [0.9, 0.024091726168990135],
  [1, 0.0001],
  [0, 0.9999]
])('λ at %f is that of the reference, and leads back', (t, alpha) => {
  const expected = Math.log(alpha / (1 - alpha)) / 2
  expect(lambdaOf(t, PUBLISHED)).toBeCloseTo(expected, 4) // the reference is float32
  if (t > 0) expect(timestepOfLambda(expected, PUBLISHED)).toBeCloseTo(t, 4)
})

test('more than eight steps of dpm-solver++ are equal in λ from 1 to 0.01; fewer, and those of others, in time', () => {
  const timesteps = [...spacedTimesteps(12, 'dpm-solver++', PUBLISHED)]
  expect(timesteps).toHaveLength(13)
  expect([timesteps[0], timesteps[12]]).toEqual([1, 0])
  expect(timesteps[11]).toBeCloseTo(0.01, 6)
  const lambdas = timesteps.slice(0, 12).map(t => lambdaOf(t, PUBLISHED))
  const step = (lambdas[11]! - lambdas[0]!) / 11
  lambdas.slice(1).forEach((lambda, index) => expect(lambda - lambdas[index]!).toBeCloseTo(step, 6))
  expect(spacedTimesteps(8, 'dpm-solver++', PUBLISHED)).toEqual(uniformTimesteps(8))
  for (const sampler of ['ddpm', 'ddim'] as const) expect(spacedTimesteps(12, sampler, PUBLISHED)).toEqual(uniformTimesteps(12))
})

test.each([1, 2, 9, 10, 29, 1000])('%d steps of dpm-solver++ descend from 1 to 0', steps => {
  for (const scheduler of [PUBLISHED, { scaler: 2, s: 0.1 }, { scaler: 0.5, s: 0.001 }]) {
    const timesteps = [...spacedTimesteps(steps, 'dpm-solver++', scheduler)]
    expect(timesteps).toHaveLength(steps + 1)
    timesteps.slice(1).forEach((t, index) => expect(t).toBeLessThan(timesteps[index]!))
  }
})
