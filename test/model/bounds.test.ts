import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkFunctions, checkLibraries, checkTexts } from '../../lib/model/contract.js'
import { COMPILED, FUNCTIONS, MANIFEST, type Artefact } from '../../lib/model/manifest.js'
import type { StageName } from '../../lib/native.js'
import { compiledModel, root, smallModel } from '../support/small-model.js'

const read = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8')) as Json
type Json = Record<string, unknown> & { constants: Record<string, unknown>; stages: Record<string, { artefacts: Artefact[] }> }

const tiny = read(root, 'models', 'tiny', 'wuerstchen.json')
const accepts = (constants: Record<string, unknown>) =>
  MANIFEST.safeParse({ ...tiny, constants: { ...tiny.constants, ...constants } }).success

describe('the numbers of a manifest', () => {
  test.each([join(root, 'models', 'tiny'), smallModel, compiledModel])('%s is accepted', model => {
    expect(MANIFEST.safeParse(read(model, 'wuerstchen.json')).error).toBeUndefined()
  })

  test('those of the published models are accepted', () => {
    // diffusers 0.42.1: WuerstchenPriorPipeline, WuerstchenDecoderPipeline, PaellaVQModel, DDPMWuerstchenScheduler.
    const scheduler = { prior: { scaler: 1, s: 0.008 }, decoder: { scaler: 1, s: 0.008 } }
    const sizes = { resolutionMultiple: 42.67, latentDimScale: 10.67 }
    expect(accepts({ latentMean: 42, latentStd: 1, scaleFactor: 0.3764, scheduler, ...sizes })).toBe(true)
  })

  test.each<[string, Record<string, unknown>]>([
    ['latentMean 0', { latentMean: 0 }],
    ['latentMean 1e300', { latentMean: 1e300 }],
    ['latentStd 1e300', { latentStd: 1e300 }],
    ['scaleFactor 1e-320', { scaleFactor: 1e-320 }],
    ['embeddingStd 1e300', { embeddingStd: 1e300 }],
    ['resolutionMultiple 0', { resolutionMultiple: 0 }],
    ['latentUnit 0', { latentUnit: 0 }],
    ['latentUnit 65', { latentUnit: 65 }],
    ['latentUnit 2.5', { latentUnit: 2.5 }],
    ['pixelsPerLatent 0', { pixelsPerLatent: 0 }],
    ['pixelsPerLatent 65', { pixelsPerLatent: 65 }],
    ['scaler 1e300', { scheduler: { prior: { scaler: 1e300, s: 0.008 }, decoder: { scaler: 1, s: 0.008 } } }],
    ['s 1e-300', { scheduler: { prior: { scaler: 1, s: 1e-300 }, decoder: { scaler: 1, s: 0.008 } } }],
    ['s 1e300', { scheduler: { prior: { scaler: 1, s: 0.008 }, decoder: { scaler: 1, s: 1e300 } } }]
  ])('%s is refused', (_name, constants) => {
    expect(accepts(constants)).toBe(false)
  })

  /** The schedule of cpp/core/schedule.h in float32. */
  const alphaCumprod = (scaler: number, s: number, time: number) => {
    const f = Math.fround
    const cosine = (x: number) => f(f(Math.cos(x)) * f(Math.cos(x)))
    const [exponent, shift, pi] = [f(scaler), f(s), f(Math.PI)]
    const t = exponent > 1 ? f(1 - f((1 - time) ** exponent)) : exponent < 1 ? f(time ** exponent) : time
    const angle = (at: number) => f(f(f(f(at + shift) / f(1 + shift)) * pi) * 0.5)
    return Math.min(Math.max(f(cosine(angle(t)) / cosine(angle(0))), f(0.0001)), f(0.9999))
  }

  test('give a noise level that falls with time and is finite in float32', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 10, noNaN: true }), fc.double({ min: 1e-6, max: 1, noNaN: true }), (scaler, s) => {
        const scheduler = { scaler, s }
        expect(accepts({ scheduler: { prior: scheduler, decoder: scheduler } })).toBe(true)
        let before = Infinity
        for (let step = 0; step <= 1000; step++) {
          const alpha = alphaCumprod(scaler, s, Math.fround(step / 1000))
          expect(alpha).toBeGreaterThanOrEqual(Math.fround(0.0001))
          // The square of a cosine near 1 is rounded up or down by one unit of float32.
          expect(alpha).toBeLessThanOrEqual(before + 2 ** -23)
          before = alpha
        }
      }),
      { numRuns: 200 }
    )
  })
})

describe('the names and tensors of a manifest', () => {
  const tensor = (edit: Record<string, unknown>) => ({
    forward: {
      inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 3, 'height/4'], ...edit }],
      outputs: [{ name: 'y', dtype: 'float32', shape: [1] }]
    }
  })

  test.each([{}, { name: 'effnet.0' }, { shape: ['batch', 'height*4', 'width/32'] }, { shape: [] }])('%o is accepted', edit => {
    expect(FUNCTIONS.safeParse(tensor(edit)).error).toBeUndefined()
  })

  test.each([
    { name: '' },
    { name: 'a b' },
    { name: 'x'.repeat(65) },
    { shape: ['a/b'] },
    { shape: ['height/0'] },
    { shape: ['height/99999'] },
    { shape: ['height/2/2'] },
    { shape: ['height-1'] },
    { shape: [0] },
    { shape: [-1] },
    { shape: [1.5] },
    { shape: [2 ** 40] },
    { shape: new Array(9).fill(1) },
    { dtype: 'float8' }
  ])('%o is refused', edit => {
    expect(FUNCTIONS.safeParse(tensor(edit)).success).toBe(false)
  })

  test('there are not more of them than a model can need', () => {
    const functions = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, tensor({}).forward]))
    expect([FUNCTIONS.safeParse(functions(16)).success, FUNCTIONS.safeParse(functions(17)).success]).toEqual([true, false])
    const stage = tiny.stages['prior']!
    const artefacts = (count: number) => ({
      ...tiny,
      stages: { prior: { ...stage, artefacts: new Array(count).fill(stage.artefacts[0]) } }
    })
    expect([MANIFEST.safeParse(artefacts(256)).success, MANIFEST.safeParse(artefacts(257)).success]).toEqual([true, false])
  })

  test.each([
    { least: 5, most: 4, multipleOf: 1 },
    { least: 1, most: 4, multipleOf: 5 },
    { least: 0, most: 4, multipleOf: 1 },
    { least: 1, most: 4, multipleOf: 0 },
    { least: 1, most: 1e300, multipleOf: 1 }
  ])('limits %o are refused', batch => {
    const index = read(compiledModel, 'compiled', 'compiled.json') as unknown as {
      artefacts: { libraries: Record<string, { limits: object }> }[]
    }
    expect(COMPILED.safeParse(index).success).toBe(true)
    index.artefacts[0]!.libraries['step']!.limits = { batch }
    expect(COMPILED.safeParse(index).success).toBe(false)
  })
})

describe('a program that the engine could not call is refused', () => {
  const artefactOf = (stage: string) => structuredClone(tiny.stages[stage]!.artefacts[0]!)
  const refused = expect.objectContaining({ name: 'WuerstchenError', code: 'MODEL_INVALID' }) as Error

  test.each(Object.keys(tiny.stages) as StageName[])('%s of the packaged model is accepted, and as no other stage', stage => {
    checkFunctions(stage, artefactOf(stage))
    const alike: Partial<Record<StageName, StageName>> = {
      priorTextEncoder: 'decoderTextEncoder',
      decoderTextEncoder: 'priorTextEncoder'
    }
    for (const other of Object.keys(tiny.stages) as StageName[]) {
      if (other === stage || alike[stage] === other) continue
      // A previewer is described as the VQ decoder is, but for its channels: the addon compares these.
      if ([stage, other].sort().join() === 'previewer,vqDecoder') continue
      expect(() => checkFunctions(other, artefactOf(stage)), other).toThrow(refused)
    }
  })

  test.each<[StageName, string, (functions: Artefact['functions']) => void]>([
    ['priorTextEncoder', 'ids of another dtype', f => (f['forward']!.inputs[0]!.dtype = 'float32')],
    ['priorTextEncoder', 'a mask of another rank', f => f['forward']!.inputs[1]!.shape.push('x')],
    ['priorTextEncoder', 'embeddings without channels', f => (f['forward']!.outputs[0]!.shape[2] = 'c')],
    ['priorTextEncoder', 'two outputs', f => f['forward']!.outputs.push(f['forward']!.outputs[0]!)],
    ['prior', 'text of another dtype', f => (f['condition']!.inputs[0]!.dtype = 'float16')],
    ['prior', 'a ratio of half precision', f => (f['step']!.inputs[1]!.dtype = 'float16')],
    ['prior', 'a ratio of rank 2', f => f['step']!.inputs[1]!.shape.push(1)],
    ['prior', 'latents of rank 3', f => f['step']!.inputs[0]!.shape.pop()],
    ['prior', 'noise of another shape', f => (f['step']!.outputs[0]!.shape[1] = 4)],
    ['prior', 'keys of another shape than the condition gives', f => (f['step']!.inputs[2]!.shape[1] = 7)],
    ['prior', 'keys of another dtype than the condition gives', f => (f['step']!.inputs[2]!.dtype = 'int64')],
    [
      'prior',
      'keys without a batch',
      f => {
        f['step']!.inputs[2]!.shape[0] = 1
        f['condition']!.outputs[0]!.shape[0] = 1
      }
    ],
    ['decoder', 'embeddings of rank 3', f => f['condition']!.inputs[1]!.shape.pop()],
    ['vqDecoder', 'pixels of one channel', f => (f['forward']!.outputs[0]!.shape[1] = 1)],
    ['vqEncoder', 'pixels of another dtype', f => (f['forward']!.inputs[0]!.dtype = 'uint8')]
  ])('%s with %s', (stage, _name, edit) => {
    const artefact = artefactOf(stage)
    edit(artefact.functions)
    expect(() => checkFunctions(stage, artefact)).toThrow(refused)
  })

  test('a library of step for condition, or for no function', () => {
    const base = artefactOf('prior')
    const limit = { least: 1, most: 8, multipleOf: 1 }
    const library = (limits: string[]) => ({
      file: 'compiled/x.so',
      size: 1,
      sha256: '0'.repeat(64),
      limits: Object.fromEntries(limits.map(name => [name, limit]))
    })
    const check = (name: string, limits: string[]) => () =>
      checkLibraries('prior', { ...base, kind: 'aoti', unusable: null, libraries: { [name]: library(limits) } } as Artefact)
    check('step', ['batch', 'height', 'width', 'text'])()
    check('condition', ['batch', 'text'])()
    expect(check('condition', ['batch', 'height', 'width', 'text'])).toThrow(refused)
    expect(check('step', ['batch', 'text'])).toThrow(refused)
    expect(check('toString', ['batch', 'text'])).toThrow(refused)
  })

  test('a text encoder of other channels than its network takes', () => {
    const artefacts = new Map<StageName, Artefact>([
      ['priorTextEncoder', artefactOf('priorTextEncoder')],
      ['prior', artefactOf('prior')]
    ]) // prettier-ignore
    checkTexts(artefacts)
    artefacts.get('prior')!.functions['condition']!.inputs[0]!.shape[2] = 161
    expect(() => checkTexts(artefacts)).toThrow(refused)
  })
})
