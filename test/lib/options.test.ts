import { expect, test } from 'vitest'
import { knownOptions } from '../../lib/options/known.js'

const NAMES = ['prompt', 'priorSteps', 'decoderSteps', 'priorGuidanceScale', 'onStep', 'seed'] as const

test('known options are copied, without what they inherit', () => {
  const options = Object.assign(Object.create({ seed: 1 }) as object, { prompt: 'a cat' })
  const copy = knownOptions('generate', options, NAMES)
  expect({ ...copy }).toEqual({ prompt: 'a cat' })
  expect(Object.getPrototypeOf(copy)).toBeNull()
  expect(knownOptions('generate', undefined, NAMES)).toEqual({})
})

test('an option that is undefined was left out, whatever its name', () => {
  expect(knownOptions('generate', { prompt: 'a cat', seed: undefined, width: undefined }, NAMES)).toEqual({ prompt: 'a cat' })
})

test.each([
  ['priorstep', 'priorSteps'],
  ['prior_steps', 'priorSteps'],
  ['promt', 'prompt'],
  ['guidanceScale', 'priorGuidanceScale'],
  ['num_inference_steps', 'decoderSteps'],
  ['steps', 'priorSteps or decoderSteps'],
  ['ONSTEP', 'onStep']
])('%s is answered with a hint at %s', (wrong, right) => {
  expect(() => knownOptions('generate', { [wrong]: 1 }, NAMES)).toThrow(
    new RegExp(`"${wrong}" of type string\\. Did you mean ${right}\\?$`)
  )
})

test('an unknown option without a near one is answered with all names', () => {
  expect(() => knownOptions('generate', { temperature: 1 }, NAMES)).toThrow(/It knows prompt, priorSteps/)
})

test('__proto__ is an unknown option, not a prototype', () => {
  expect(() => knownOptions('generate', JSON.parse('{"__proto__": 1}'), NAMES)).toThrow(/"__proto__"/)
})

test.each([[null], ['x'], [1], [[]], [new Uint8Array(3)], [true]])('%j is no options object', options => {
  expect(() => knownOptions('generate', options, NAMES)).toThrow(/^Expected an object for the options of generate/)
})
