import { copyFileSync, cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Engine } from '../../lib/engine/engine.js'
import { loadOptions } from '../../lib/engine/load-options.js'
import { createEngines } from '../../lib/engine/placement.js'
import { ERROR_CODES, WuerstchenError, type ErrorCode } from '../../lib/errors.js'
import { Pipeline, Stage, Tensor } from '../../lib/index.js'
import { machineReport } from '../../lib/doctor/report.js'
import { loadAddon, loadFrom } from '../../lib/load/addon.js'
import { addonFiles, addonIn, loaderOf } from '../../lib/load/locations.js'
import { readModel } from '../../lib/model/directory.js'
import { refused, timedOut } from '../../lib/server/jobs/failure.js'
import { compiledModel, smallModel, withDirectory } from '../support/small-model.js'

/** Every code, thrown on purpose by both sides where both throw it, with what it is about. */

const thrown = new Set<ErrorCode>()

async function failureOf(action: () => unknown): Promise<WuerstchenError> {
  try {
    await action()
  } catch (error) {
    if (!WuerstchenError.is(error)) throw error
    thrown.add(error.code)
    return error
  }
  throw new Error('Expected a failure but there was none')
}

const expectFailure = async (action: () => unknown, code: ErrorCode, subject: string | null) => {
  const error = await failureOf(action)
  expect({ code: error.code, subject: error.subject }).toEqual({ code, subject })
}

afterAll(() => {
  // These two are the server's, which throws no errors for them but keeps their facts.
  thrown.add(refused('maxQueued').code).add(timedOut(1).error.code as ErrorCode)
  expect([...thrown].sort()).toEqual([...ERROR_CODES].sort())
})

const tensor = () => Tensor.from(new Float32Array(4), [1, 4])

test('INVALID_ARGUMENT is about the option', async () => {
  await expectFailure(() => Tensor.from(new Float32Array(4), [4], 'int8'), 'INVALID_ARGUMENT', 'dtype')
  await expectFailure(() => Tensor.from(new Float32Array(4), [-4]), 'INVALID_ARGUMENT', 'shape')
})

test('INVALID_ARGUMENT of the addon is about the value that it names', async () => {
  const native = loadAddon()
  await expectFailure(() => native.createTensor(new Float32Array(4), [5], 'float32'), 'INVALID_ARGUMENT', 'data')
  await expectFailure(() => native.tensorTo(tensor().handle, 'cuda:x', null), 'INVALID_ARGUMENT', 'device')
})

test('MODEL_NOT_FOUND and MODEL_INVALID are about the file', async () => {
  await expectFailure(() => Pipeline.load('/no-such-model'), 'MODEL_NOT_FOUND', '/no-such-model/wuerstchen.json')
  await withDirectory(async directory => {
    writeFileSync(join(directory, 'wuerstchen.json'), '{')
    await expectFailure(() => Pipeline.load(directory), 'MODEL_INVALID', join(directory, 'wuerstchen.json'))
  })
})

test('MODEL_INVALID of the addon is about the program that LibTorch cannot read', () =>
  withDirectory(async directory => {
    cpSync(smallModel, directory, { recursive: true })
    const file = join(directory, 'vqDecoder.float32.cpu.pt')
    writeFileSync(file, 'no program')
    await expectFailure(() => Pipeline.load(directory, { verify: false, dtype: 'float32' }), 'MODEL_INVALID', file)
  }))

test('MODEL_MISMATCH is about the stage', () =>
  expectFailure(() => Pipeline.load(compiledModel, { dtype: 'float16' }), 'MODEL_MISMATCH', 'priorTextEncoder'))

test('LIBTORCH_NOT_FOUND and NATIVE_LOAD_FAILED are about the addon', () =>
  withDirectory(async directory => {
    await expectFailure(() => loadFrom([addonIn(directory)], []), 'NATIVE_LOAD_FAILED', null)
    for (const name of ['wuerstchen.node', 'loader.node']) writeFileSync(join(directory, name), 'no library')
    writeFileSync(join(directory, 'wuerstchen.build.json'), JSON.stringify({ libtorch: { version: '2.13.0' } }))
    await expectFailure(() => loadFrom([addonIn(directory)], []), 'NATIVE_LOAD_FAILED', join(directory, 'loader.node'))
    // The real loader finds the LibTorch that this process runs on, for which the only addon is not.
    loadAddon()
    copyFileSync(loaderOf(addonFiles().find(({ builtFor }) => builtFor !== null)!), join(directory, 'loader.node'))
    writeFileSync(join(directory, 'wuerstchen.build.json'), JSON.stringify({ libtorch: { version: '2.99.0' } }))
    const { libtorch } = await machineReport(undefined)
    await expectFailure(() => loadFrom([addonIn(directory)], []), 'LIBTORCH_NOT_FOUND', libtorch.directory)
  }))

test('DEVICE_UNAVAILABLE is about the option, on both sides', async () => {
  await expectFailure(() => Pipeline.load(smallModel, { device: ['cpu', 'cuda'] }), 'DEVICE_UNAVAILABLE', 'device[1]')
  await expectFailure(() => loadAddon().tensorTo(tensor().handle, 'cuda:0', null), 'DEVICE_UNAVAILABLE', 'device')
})

test('DISPOSED is about what was disposed, on both sides', async () => {
  const gone = tensor()
  const { handle } = gone
  gone.dispose()
  await expectFailure(() => gone.data(), 'DISPOSED', 'tensor')
  await expectFailure(() => loadAddon().tensorData(handle), 'DISPOSED', 'tensor')
  const pipeline = await Pipeline.load(smallModel, { threads: 1 })
  await pipeline.dispose()
  await expectFailure(() => pipeline.generate({ prompt: 'a' }), 'DISPOSED', 'pipeline')
})

test('OUT_OF_MEMORY and INTERNAL of the addon are about the stage that ran', async () => {
  const engines = await createEngines(await readModel(smallModel), loadOptions({ device: 'cpu', threads: 1 }))
  if (engines.kind !== 'whole') throw new Error('Expected one engine')
  const [engine] = engines.engines
  const pixels = { width: 5, height: 5, data: new Uint8Array(75) }
  // 600 GB: what the encoder would see of a grid that no call can ask for.
  const grid = { gridHeight: 4096, gridWidth: 4096, fit: 'fill' } as const
  const task = (start: Parameters<Engine['task']>[0]) => () => engine!.task(start, undefined)
  try {
    await expectFailure(
      task(handle => loadAddon().encodeImage(handle, pixels, grid)),
      'OUT_OF_MEMORY',
      'imageEncoder'
    )
    // Stage A takes multiples of 4, which TypeScript has seen to.
    await expectFailure(
      task(handle => loadAddon().encodeLatents(handle, pixels)),
      'INTERNAL',
      'vqEncoder'
    )
  } finally {
    await engine!.dispose()
  }
})

test('NOT_FINITE is about the stage that gave the first such number', async () => {
  await using pipeline = await Pipeline.load(smallModel, { threads: 1 })
  const { shape } = (await readModel(smallModel)).manifest.stages.prior!.artefacts[0]!.functions['condition']!.inputs[0]!
  const channels = shape[2] as number
  // Finite by themselves.
  const promptEmbeds = Tensor.from(new Float32Array(77 * channels).fill(3e38), [1, 77, channels])
  await expectFailure(
    () => pipeline.prior({ promptEmbeds, negativePromptEmbeds: promptEmbeds, priorSteps: 1 }),
    'NOT_FINITE',
    'prior'
  )
})

test('what a program cannot run on is INVALID_ARGUMENT about the inputs', async () => {
  const file = join(smallModel, 'vqDecoder.float32.cpu.pt')
  const float = (name: string, channels: number) => ({ name, dtype: 'float32', shape: [1, channels, 'h', 'w'] }) as const
  await using stage = await Stage.load(file, {
    functions: { forward: { inputs: [float('latents', 9)], outputs: [float('pixels', 3)] } }
  })
  const latents = Tensor.from(new Float32Array(9 * 4), [1, 9, 2, 2])
  await expectFailure(() => stage.run([latents]), 'INVALID_ARGUMENT', 'inputs')
})

test('an option that a file makes no use of is still checked', async () => {
  const file = join(smallModel, 'vqDecoder.float32.cpu.pt')
  const functions = { forward: { inputs: [], outputs: [] } }
  const divided = (by: number) => [{ name: 'x', dtype: 'float32' as const, shape: [`height/${by}`] }]
  await expectFailure(() => Stage.load(file, { functions: {} }), 'INVALID_ARGUMENT', 'functions')
  for (const by of [0, 65])
    await expectFailure(
      () => Stage.load(file, { functions: { forward: { inputs: divided(by), outputs: [] } } }),
      'INVALID_ARGUMENT',
      'functions'
    )
  await expectFailure(() => Stage.load(file, { functions, verify: 1 as never }), 'INVALID_ARGUMENT', 'verify')
  await expectFailure(() => Stage.load(file, { dtype: 'int8' as never }), 'INVALID_ARGUMENT', 'dtype')
})
