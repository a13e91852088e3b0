import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_STAGE_C_TIMESTEPS, expectTimesteps, timestepsOf, uniformTimesteps } from '../../lib/plan/timesteps.js'

test('the default of Stage C has the values of diffusers 0.42.1', () => {
  expect(DEFAULT_STAGE_C_TIMESTEPS).toHaveLength(30)
  // print(DEFAULT_STAGE_C_TIMESTEPS[i]) of the reference, to its last digit.
  expect(DEFAULT_STAGE_C_TIMESTEPS[1]).toBe(0.9824561403508771)
  expect(DEFAULT_STAGE_C_TIMESTEPS[2]).toBe(0.9649122807017544)
  expect(DEFAULT_STAGE_C_TIMESTEPS[19]).toBe(2 / 3)
  expect(DEFAULT_STAGE_C_TIMESTEPS[20]).toBe(0.6)
  expect(DEFAULT_STAGE_C_TIMESTEPS.at(-1)).toBe(0)
})

test('uniform timesteps are bit for bit those of torch.linspace(1, 0, n + 1)', () => {
  // Values of torch 2.13.0 that other ways of rounding get wrong.
  expect(uniformTimesteps(29)[5]).toBe(0.8275862336158752)
  expect(uniformTimesteps(50)[11]).toBe(0.7800000309944153)
  expect(uniformTimesteps(60)[9]).toBe(0.8499999642372131)
  expect(uniformTimesteps(60)[30]).toBe(0.5)
  expect(uniformTimesteps(1000)[30]).toBe(0.9699999690055847)
  expect([...uniformTimesteps(1)]).toEqual([1, 0])
})

test('uniform timesteps are always a valid schedule', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), steps => {
      const levels = expectTimesteps('levels', uniformTimesteps(steps))
      return levels.length === steps + 1 && levels[0] === 1 && levels[steps] === 0
    })
  )
})

test.each([0, -5, 1.5, NaN, Infinity, 1001, '10', null])('%s is no number of steps', steps => {
  expect(() => uniformTimesteps(steps as number)).toThrow(/^Expected an integer from 1 to 1000 for steps/)
})

test('timesteps, steps and the fallback exclude each other', () => {
  const fallback = { spaced: uniformTimesteps, fallback: () => Float64Array.of(1, 0) }
  expect(timestepsOf('prior', undefined, undefined, fallback)).toEqual(Float64Array.of(1, 0))
  expect(timestepsOf('prior', [1, 0.5, 0], undefined, fallback)).toEqual(Float64Array.of(1, 0.5, 0))
  expect(timestepsOf('prior', undefined, 2, fallback)).toEqual(Float64Array.of(1, 0.5, 0))
  expect(() => timestepsOf('prior', [1, 0], 2, fallback)).toThrow(/nothing beside priorTimesteps/)
})

test.each([
  ['nothing', []],
  ['one value', [1]],
  ['equal values', [1, 0.5, 0.5, 0]],
  ['rising values', [0, 1]],
  ['values above 1', [1.5, 0]],
  ['values below 0', [1, -0.1]],
  ['NaN', [1, NaN, 0]],
  ['text', ['1', '0']],
  ['a string', '1,0'],
  ['null', null],
  ['too many', Float64Array.from({ length: 1002 }, (_, index) => 1 - index / 2000)],
  ['holes', Object.assign([1, 0.5], { length: 3 })]
])('a schedule of %s is refused', (_name, levels) => {
  expect(() => expectTimesteps('priorTimesteps', levels)).toThrow(/^Expected .* for priorTimesteps/)
})
