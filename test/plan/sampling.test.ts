import { describe, expect, test } from 'vitest'
import { modelPath, readModel } from '../../lib/model/directory.js'
import { SAMPLERS } from '../../lib/options/sampling.js'
import { modificationOf } from '../../lib/plan/modification.js'
import { lambdaOf, timestepOfLambda } from '../../lib/plan/noise.js'
import { planFromText } from '../../lib/plan/plan.js'
import { spacedTimesteps, uniformTimesteps } from '../../lib/plan/timesteps.js'

const { manifest } = await readModel(modelPath(undefined))
const presets = {
  fast: {
    priorSampler: 'dpm-solver++',
    priorSteps: 8,
    priorGuidanceInterval: [0.1, 0.9],
    decoderSampler: 'ddim',
    decoderSteps: 4
  }
} satisfies typeof manifest.presets
const model = { ...manifest, presets }
const image = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 } as const
const PUBLISHED = { scaler: 1, s: 0.008 }

const planned = (options: object) => planFromText('generate', { prompt: 'a', seed: 1, ...options }, model)

describe('a preset', () => {
  test('gives samplers, steps and the interval of guidance', () => {
    const { prior, decoder } = planned({ preset: 'fast' })
    expect(prior).toMatchObject({ sampler: 'dpm-solver++', guidanceInterval: [0.1, 0.9] })
    expect(prior!.timesteps).toEqual(spacedTimesteps(8, 'dpm-solver++', PUBLISHED))
    expect(decoder).toMatchObject({ sampler: 'ddim', guidanceInterval: [0, 1] })
    expect(decoder!.timesteps).toEqual(spacedTimesteps(4, 'ddim', PUBLISHED))
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

// λ and its inverse were compared with the reference above; the rule is that of docs/samplers.md.
test.each(['ddim', 'dpm-solver++'] as const)(
  'steps of %s are 0.6 of the way from equal in time to equal in λ, down to 0.01',
  sampler => {
    const steps = 12
    const timesteps = [...spacedTimesteps(steps, sampler, PUBLISHED)]
    expect([timesteps[0], timesteps[steps]]).toEqual([1, 0])
    const [first, last] = [lambdaOf(1, PUBLISHED), lambdaOf(0.01, PUBLISHED)]
    for (let index = 1; index < steps; index++) {
      const equalInTime = 1 - index / steps
      const equalInLambda = timestepOfLambda(first + ((last - first) * index) / (steps - 1), PUBLISHED)
      expect(timesteps[index]).toBeCloseTo(0.4 * equalInTime + 0.6 * equalInLambda, 6)
    }
    expect(spacedTimesteps(2, sampler, PUBLISHED)).toEqual(uniformTimesteps(2))
    expect(spacedTimesteps(steps, 'ddpm', PUBLISHED)).toEqual(uniformTimesteps(steps))
  }
)

test.each([1, 2, 9, 10, 29, 1000])('%d steps descend from 1 to 0 in all samplers', steps => {
  for (const sampler of SAMPLERS)
    for (const scheduler of [PUBLISHED, { scaler: 2, s: 0.1 }, { scaler: 0.5, s: 0.001 }]) {
      const timesteps = [...spacedTimesteps(steps, sampler, scheduler)]
      expect(timesteps).toHaveLength(steps + 1)
      timesteps.slice(1).forEach((t, index) => expect(t).toBeLessThan(timesteps[index]!))
    }
})
