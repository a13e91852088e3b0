import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { inspectModel } from '../../lib/cli/inspect.js'
import { WuerstchenError } from '../../lib/errors.js'
import { Pipeline } from '../../lib/index.js'
import { fake, useFakeNative } from '../support/fake.js'
import { editIndex } from '../support/model-files.js'
import { compiledModel, withModelCopy } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()
afterEach(() => {
  vi.restoreAllMocks()
})

interface Entry {
  stage: string
  libraries: Record<string, { file: string }>
  [other: string]: unknown
}

/** A model whose index has libraries for these architectures, made without a GPU where they are not verified. */
function withLibraries(made: { gpuArch: string; verified?: boolean }[], body: (directory: string) => Promise<void>) {
  return withModelCopy(async directory => {
    editIndex(directory, (index: { artefacts: Entry[] }) => {
      index.artefacts = index.artefacts.flatMap(entry =>
        made.map(facts => ({ ...entry, device: 'cuda', isa: null, leastTorch: undefined, torch: '2.13.0', ...facts }))
      )
    })
    await body(directory)
  }, compiledModel)
}

const useGpu = (...architectures: string[]) => {
  fake.cuda = { built: true, available: true, devices: architectures.length, reason: '', architectures }
}
const priorOf = (pipeline: Pipeline) => pipeline.artefacts.find(({ stage }) => stage === 'prior')!

beforeEach(() => useGpu('8.6'))

test('libraries for an older minor architecture are used, and said to be unverified', () =>
  withLibraries([{ gpuArch: '8.0', verified: false }], async directory => {
    await using pipeline = await Pipeline.load(directory, { device: 'cuda' })
    expect(priorOf(pipeline)).toMatchObject({ kind: 'aoti', verified: false, device: 'cuda:0' })
    expect(pipeline.artefacts.find(({ stage }) => stage === 'priorTextEncoder')).toMatchObject({ verified: true })
  }))

test('those of a newer minor or of another major architecture are not', () =>
  withLibraries([{ gpuArch: '8.9' }, { gpuArch: '9.0' }], async directory => {
    await using pipeline = await Pipeline.load(directory, { device: 'cuda' })
    expect(priorOf(pipeline).kind).toBe('torchscript')
    expect(priorOf(pipeline).rejected.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['made for GPU architecture 8.9, this one is 8.6', 'made for GPU architecture 9.0, this one is 8.6'])
    )
  }))

test.each<[string, { gpuArch: string; verified?: boolean }[], string, RegExp]>([
  ['the nearest architecture', [{ gpuArch: '8.0' }, { gpuArch: '8.6' }], '8.6', /^made for GPU architecture 8\.0, and one that/],
  ['what is verified', [{ gpuArch: '8.6', verified: false }, { gpuArch: '8.0' }], '8.0', /^not verified, and one that is/]
])('of several that fit, %s is used', (_name, made, used, reason) =>
  withLibraries(made, async directory => {
    await using pipeline = await Pipeline.load(directory, { device: 'cuda' })
    expect(priorOf(pipeline).rejected.map(({ reason }) => reason)).toContainEqual(expect.stringMatching(reason))
    const fitting = made.find(({ gpuArch }) => gpuArch === used)!
    expect(priorOf(pipeline)).toMatchObject({ kind: 'aoti', verified: fitting.verified ?? true })
  })
)

test('who asks for no GPU gets none for libraries that nothing has run', () =>
  withLibraries([{ gpuArch: '8.6', verified: false }], async directory => {
    await using pipeline = await Pipeline.load(directory)
    expect(priorOf(pipeline).device).toBe('cpu')
    await withLibraries([{ gpuArch: '8.6' }], async verified => {
      await using other = await Pipeline.load(verified)
      expect(priorOf(other).device).toBe('cuda:0')
    })
  }))

test('a library that differs from its program gives way to it, with a warning', () =>
  withLibraries([{ gpuArch: '8.0', verified: false }], async directory => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const create = fake.native.createEngine
    let broken: string | undefined
    vi.spyOn(fake.native, 'createEngine').mockImplementation((spec, onProgress) => {
      const made = create(spec, onProgress)
      broken ??= spec.programs.prior!.libraries!['step']!.file
      if (spec.programs.prior!.kind !== 'aoti') return made
      const message = `Expected a compiled library in ${broken} that fits its program but its result differs by 0.5 of the largest value`
      return { ...made, loaded: Promise.reject(new WuerstchenError('MODEL_INVALID', message, { subject: broken })) }
    })
    await using pipeline = await Pipeline.load(directory, { device: 'cuda' })
    expect(priorOf(pipeline).kind).toBe('torchscript')
    expect(priorOf(pipeline).rejected).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('its result differs by 0.5') })
    )
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/differs by 0\.5 of the largest value\. Its program runs instead/), expect.anything()]
    ])
    expect(warn.mock.calls[0]![1]).toMatchObject({ type: 'WuerstchenWarning', code: 'WUERSTCHEN_LIBRARY' })
  }))

test('inspect names the architecture, and what is not verified', () =>
  withLibraries([{ gpuArch: '8.0', verified: false }, { gpuArch: '9.0' }], async directory => {
    const text = await inspectModel(directory, false)
    expect(text).toMatch(/prior-step.*: aoti, float32, cuda 8\.0, [\d.]+ MB, not verified$/m)
    expect(text).toMatch(/prior-step.*: aoti, float32, cuda 9\.0, [\d.]+ MB$/m)
  }))
