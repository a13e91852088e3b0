import { afterEach, expect, test, vi } from 'vitest'
import { gpuArchOf } from '../../lib/load/device.js'
import { Pipeline, Tensor } from '../../lib/index.js'
import type { Artefact } from '../../lib/model/manifest.js'
import { misfit } from '../../lib/model/select.js'
import type { TensorHandle } from '../../lib/native.js'
import type { FakeRun } from '../support/fake-native.js'
import { fake, settle, useFakeNative } from '../support/fake.js'
import { editManifest } from '../support/model-files.js'
import { compiledModel, QUICK, smallModel, withModelCopy, withPipeline } from '../support/small-model.js'

vi.mock('../../lib/load/addon.js', () => ({ loadAddon: () => fake.native }))
useFakeNative()
afterEach(() => {
  vi.unstubAllEnvs()
})

test('by default there is one engine on the CPU, with all threads', () =>
  withPipeline(
    async pipeline => {
      expect(fake.engines.map(({ spec }) => [spec.device, spec.threads, spec.residency])).toEqual([['cpu', 4, 'all']])
      expect(fake.engines[0]!.spec.constants).toMatchObject({
        latentMean: 42,
        latentStd: 1,
        scaleFactor: 0.3764,
        priorScheduler: { scaler: 1, s: 0.008 }
      })
      expect(pipeline.artefacts.map(({ stage, dtype }) => `${stage} ${dtype}`)).toEqual([
        'priorTextEncoder float32',
        'prior float32',
        'decoderTextEncoder float32',
        'decoder float32',
        'vqDecoder float32',
        'previewer float32',
        'vqEncoder float32',
        'imageEncoder float32'
      ])
    },
    { threads: undefined } as never
  ))

test.each([
  { options: { threads: 1 }, limits: [8, 162] },
  { options: { threads: 4 }, limits: [8, 324] },
  { options: { threads: 4, device: ['cpu', 'cpu'] }, limits: [8, 324] },
  // What the user says holds for images of every size.
  { options: { threads: 1, maxBatch: 32 }, limits: [32, 0] }
])('how many images share a run goes by threads and size: $options', ({ options, limits }) =>
  withPipeline(async pipeline => {
    const [maxBatch, maxBatchCells] = limits
    for (const { spec } of fake.engines) expect(spec).toMatchObject({ maxBatch, maxBatchCells })
    for (const engine of pipeline.stats().engines) expect(engine).toMatchObject({ maxBatch, maxBatchCells })
  }, options)
)

const engineOf = (run: FakeRun) => (run.engine as unknown as { index: number }).index

test('a list gives one engine each, which share the threads; every image goes to the least loaded', () =>
  withPipeline(
    async pipeline => {
      expect(fake.engines.map(({ spec }) => spec.threads)).toEqual([2, 2])
      const latents = Tensor.from(new Float32Array(3 * 16 * 9), [3, 16, 3, 3])
      const calls = [
        pipeline.generate({ ...QUICK, numImagesPerPrompt: 3, latents }), // whole, for its tensor has a row for each image
        pipeline.generate({ ...QUICK, numImagesPerPrompt: 5, seed: 10 }), // three to the idle engine, then in turn
        pipeline.generate(QUICK)
      ]
      await settle()
      expect(fake.runs.map(run => [engineOf(run), run.request.images.length])).toEqual([
        [0, 3],
        [0, 1],
        [1, 4],
        [0, 1]
      ])
      expect(fake.runs.slice(1, 3).map(run => run.request.images.map(image => image.seed))).toEqual([[13], [10, 11, 12, 14]])
      for (const run of fake.runs) run.finish()
      const results = await Promise.all(calls)
      expect(results[1]!.images.map(image => [image.seed, image.data[0]])).toEqual([10, 11, 12, 13, 14].map(seed => [seed, seed]))
      latents.dispose()
      expect(fake.liveTensors.size).toBe(0)
      expect(pipeline.stats()).toMatchObject({
        running: 4,
        engines: [{ device: 'cpu', running: 2 }, { device: 'cpu' }],
        stages: { prior: { rows: 6 } },
        batchSizes: { 2: 14 }
      })
    },
    { device: ['cpu', 'cpu'], threads: undefined } as never
  ))

test('of several engines the one counts that has been silent for longest', () =>
  withPipeline(
    async pipeline => {
      const silences = [
        { silentMs: 5, doing: 'prior' as const },
        { silentMs: 9, doing: 'decoder' as const }
      ]
      let asked = 0
      fake.silence = () => silences[asked++]!
      expect(pipeline.stats()).toMatchObject({
        silentMs: 9,
        doing: 'decoder',
        tasks: 12,
        threads: 4,
        engines: [{ silentMs: 5, tasks: 6 }, { silentMs: 9 }]
      })
    },
    { device: ['cpu', 'cpu'], threads: undefined } as never
  ))

test('a spread call hears of every image by its own number, and its embeddings are in order', () =>
  withPipeline(
    async pipeline => {
      const seen: number[] = []
      const done = pipeline.prior({
        prompt: 'a',
        width: 128,
        height: 128,
        seeds: [5, 6, 7],
        numImagesPerPrompt: 3,
        onStep: ({ image }) => seen.push(image)
      })
      await settle()
      for (const run of fake.runs) {
        run.request.images.forEach((_, image) =>
          run.emit({ type: 'step', image, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
        )
        const rows = Float32Array.from(run.request.images.flatMap(({ seed }) => new Array<number>(16 * 9).fill(seed)))
        const embeddings = fake.tensor([run.request.images.length, 16, 3, 3], 'float32', new Uint8Array(rows.buffer))
        run.finish({ embeddings, randomOffsets: run.request.images.map(({ seed }) => 10 * seed) })
      }
      const embeddings = await done
      const data = await embeddings.tensor.data()
      expect([data[0], data[16 * 9], data[2 * 16 * 9]]).toEqual([5, 6, 7])
      expect({ seen, offsets: embeddings.randomOffsets, seeds: embeddings.seeds }).toEqual({
        seen: [0, 2, 1],
        offsets: [50, 60, 70],
        seeds: [5, 6, 7]
      })
      embeddings.dispose()
      // FakeNative made a tensor for each run besides; those belong to it.
      expect(fake.liveTensors.size).toBe(2)
    },
    { device: ['cpu', 'cpu'] }
  ))

test('when one part of a spread call fails the others are cancelled, and nothing is left', () =>
  withPipeline(
    async pipeline => {
      const done = pipeline.generate({ ...QUICK, numImagesPerPrompt: 2 })
      const check = expect(done).rejects.toThrow('no memory')
      await settle()
      fake.runs[1]!.fail(new Error('no memory'))
      await check
      expect(fake.runs.map(run => run.cancelled)).toEqual([true, false])
      fake.runs[0]!.finish()
      await settle()
      expect(fake.liveTensors.size).toBe(0)
    },
    { device: ['cpu', 'cpu'] }
  ))

test('text tensors live until both halves have them', () =>
  withPipeline(
    async pipeline => {
      const embeds = {
        prior: Tensor.from(new Float32Array(77 * 40), [1, 77, 40]),
        decoder: Tensor.from(new Float32Array(77 * 32), [1, 77, 32])
      }
      const done = pipeline.generate({ width: 128, height: 128, promptEmbeds: embeds })
      await settle()
      fake.runs[0]!.finish()
      await settle()
      const [text] = fake.runs[1]!.request.decoderTexts as { embeddings: TensorHandle }[]
      expect(fake.native.tensorInfo(text!.embeddings).shape).toEqual([1, 77, 32])
      fake.runs[1]!.finish()
      expect((await done).images).toHaveLength(1)
      embeds.prior.dispose()
      embeds.decoder.dispose()
      expect(fake.liveTensors.size).toBe(0)
    },
    { device: { prior: 'cpu', decoder: 'cpu' } }
  ))

test('the halves apart: embeddings and random streams travel, texts go where they are needed', () =>
  withPipeline(
    async pipeline => {
      expect(fake.engines.map(({ spec }) => Object.keys(spec.programs))).toEqual([
        ['priorTextEncoder', 'prior', 'previewer'],
        ['decoderTextEncoder', 'decoder', 'vqDecoder', 'vqEncoder', 'imageEncoder']
      ])
      const steps: string[] = []
      const done = pipeline.generate({ ...QUICK, seed: 5, onStep: ({ stage }) => steps.push(stage) })
      await settle()
      expect(fake.runs[0]!.request).toMatchObject({
        decoder: null,
        decoderTexts: [],
        images: [{ seed: 5, randomOffset: 0, decoderText: -1 }]
      })
      fake.runs[0]!.emit({ type: 'step', image: 0, stage: 'prior', step: 1, steps: 2, timestep: 1, batch: 1 })
      fake.runs[0]!.finish({
        timings: {
          queued: 1,
          load: 2,
          priorTextEncoder: 3,
          prior: 4,
          decoderTextEncoder: 0,
          decoder: 0,
          vqDecoder: 0,
          previewer: 1,
          total: 10
        }
      })
      await settle()
      expect(fake.runs[1]!.request).toMatchObject({
        prior: null,
        priorTexts: [],
        images: [{ seed: 5, randomOffset: 100, priorText: -1 }]
      })
      expect(fake.runs[1]!.request.embeddings).not.toBeNull()
      fake.runs[1]!.emit({ type: 'step', image: 0, stage: 'decoder', step: 1, steps: 1, timestep: 1, batch: 1 })
      fake.runs[1]!.finish({
        timings: {
          queued: 1,
          load: 0,
          priorTextEncoder: 0,
          prior: 0,
          decoderTextEncoder: 5,
          decoder: 6,
          vqDecoder: 7,
          previewer: 0,
          total: 19
        }
      })
      const { timings } = await done
      expect(timings).toEqual({
        queued: 2,
        load: 2,
        priorTextEncoder: 3,
        prior: 4,
        decoderTextEncoder: 5,
        decoder: 6,
        vqDecoder: 7,
        previewer: 1,
        total: 29
      })
      expect(steps).toEqual(['prior', 'decoder'])
      expect(fake.liveTensors.size).toBe(0)
    },
    { device: { prior: 'cpu', decoder: 'cpu' } }
  ))

test('WUERSTCHEN_DEVICE, WUERSTCHEN_THREADS and WUERSTCHEN_MODEL stand behind the options', async () => {
  vi.stubEnv('WUERSTCHEN_DEVICE', 'cpu,cpu').stubEnv('WUERSTCHEN_THREADS', '6').stubEnv('WUERSTCHEN_MODEL', smallModel)
  await using _pipeline = await Pipeline.load()
  expect(fake.engines.map(({ spec }) => spec.threads)).toEqual([3, 3])
  await using _other = await Pipeline.load(undefined, { device: 'cpu', threads: 1 })
  expect(fake.engines.slice(2).map(({ spec }) => spec.threads)).toEqual([1])
  vi.stubEnv('WUERSTCHEN_THREADS', 'many')
  await expect(Pipeline.load()).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('WUERSTCHEN_THREADS')
  })
})

test('a GPU that is not there is DEVICE_UNAVAILABLE, with what was found', async () => {
  await expect(Pipeline.load(smallModel, { device: 'cuda' })).rejects.toMatchObject({
    code: 'DEVICE_UNAVAILABLE',
    message: expect.stringContaining('this LibTorch is a CPU build')
  })
  fake.cuda = { built: true, available: true, devices: 2, reason: '', architectures: ['9.0', '8.0'] }
  await expect(Pipeline.load(smallModel, { device: 'cuda:5' })).rejects.toMatchObject({
    code: 'DEVICE_UNAVAILABLE',
    message: expect.stringContaining('this machine has 2 CUDA devices')
  })
})

test('programs that were made on a CPU run on a GPU, and its own come first; libraries do not', async () => {
  fake.cuda = { built: true, available: true, devices: 2, reason: '', architectures: ['9.0', '8.0'] }
  {
    await using pipeline = await Pipeline.load(compiledModel, { device: 'cuda' })
    expect(new Set(pipeline.artefacts.map(artefact => artefact.device))).toEqual(new Set(['cuda:0']))
    expect(new Set(pipeline.artefacts.map(({ kind }) => kind))).toEqual(new Set(['torchscript']))
    const rejected = pipeline.artefacts.flatMap(artefact => artefact.rejected)
    expect(rejected.filter(({ file }) => file.endsWith('.so')).map(({ reason }) => reason)).toContain('made for cpu, not cuda')
    // Who asks for no GPU gets one only for programs that were verified on one.
    await using automatic = await Pipeline.load(compiledModel)
    expect(automatic.artefacts[0]!.device).toBe('cpu')
  }
  await withModelCopy(async directory => {
    editManifest(directory, (manifest: { stages: Record<string, { artefacts: { dtype: string }[] }> }) => {
      for (const { artefacts } of Object.values(manifest.stages))
        artefacts.push({ ...artefacts.find(({ dtype }) => dtype === 'float32')!, device: 'cuda' } as { dtype: string })
    })
    await using pipeline = await Pipeline.load(directory, { device: 'cuda', dtype: 'float32' })
    const reasons = pipeline.artefacts.flatMap(artefact => artefact.rejected.map(({ reason }) => reason))
    expect(reasons).toContain('made for cpu, and one that was made for cuda is used')
  })
})

test('a library made for another GPU than the one that is asked for does not fit', () => {
  fake.cuda = { built: true, available: true, devices: 3, reason: '', architectures: ['9.0', '8.0', ''] }
  const runtime = fake.native.runtimeInfo()
  const artefact = { kind: 'aoti', unusable: null, device: 'cuda', isa: null, gpuArch: '9.0', torch: '2.13.0' } as Artefact
  const reasons = ['cuda:0', 'cuda:1', 'cuda:2'].map(device =>
    misfit(artefact, {
      device: 'cuda',
      dtype: undefined,
      cpuCapability: 'AVX2',
      gpuArch: gpuArchOf(device, runtime),
      torch: '2.13.0'
    })
  )
  expect(reasons).toEqual([undefined, 'made for GPU architecture 9.0, this one is 8.0', undefined])
})

test('engines that exist are disposed when a later one fails', async () => {
  await expect(Pipeline.load(smallModel, { device: ['cpu', 'cuda'] })).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' })
  expect(fake.engines).toHaveLength(0)
  const create = fake.native.createEngine
  let calls = 0
  fake.native.createEngine = (spec, onProgress) => {
    if (++calls === 2) throw new Error('no memory')
    return create(spec, onProgress)
  }
  await expect(Pipeline.load(smallModel, { device: ['cpu', 'cpu'] })).rejects.toThrow('no memory')
  expect(fake.engines.map(engine => engine.disposed)).toEqual([true])
})

test('loading can be given up', async () => {
  const reason = new Error('changed my mind')
  await expect(Pipeline.load(smallModel, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const controller = new AbortController()
  await expect(Pipeline.load(smallModel, { signal: controller.signal, onProgress: () => controller.abort(reason) })).rejects.toBe(
    reason
  )
  expect(fake.engines.every(engine => engine.disposed)).toBe(true)
})
