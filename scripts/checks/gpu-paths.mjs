#!/usr/bin/env node
/**
 * What a server asks of a device, once each: batches, placements, cancelling, memory, images in. A line for every check.
 *
 *   node scripts/checks/gpu-paths.mjs MODEL_DIR DEVICE [--dtype float16] [--only batches,memory] [--pictures DIR]
 *
 * MODEL_DIR has programs, an image encoder and a previewer for DEVICE, and programs for the CPU in float32. With `cpu` for
 * DEVICE the checks try themselves. `exhaustion` runs only when it is named, in a process whose GPU memory PYTORCH_ALLOC_CONF
 * limits. Exit code 1 where a check fails.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pipeline, Stage, Tensor, WuerstchenError } from '../../dist/index.js'
import { furthest, pixelDifference } from './pixels.mjs'
/** @import { FloatDtype, GeneratedImage, GenerateOptions, PipelineOptions } from '../../dist/index.js' */

const {
  values,
  positionals: [model, device]
} = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: 'string' },
    only: { type: 'string' },
    pictures: { type: 'string' }
  }
})
if (device === undefined) throw new Error('Expected MODEL_DIR and a device, such as cuda')

/** Mean difference of the pixels (of 255) between two batch sizes, whose kernels differ; random weights enlarge rounding. */
const MOST_APART = { float32: 0.5, float16: 4, bfloat16: 10 }
const dtype = /** @type {FloatDtype} */ (values.dtype ?? (device === 'cpu' ? 'float32' : 'float16')) // load() checks it
const most = MOST_APART[dtype]
const size = { width: 128, height: 128 }
const short = { prompt: 'a red heart', seed: 1, priorSteps: 6, decoderSteps: 4, ...size }
/** @type {GenerateOptions[]} */
const requests = [
  short,
  { ...short, prompt: 'a blue house', negativePrompt: 'a tree', seed: 2, priorSteps: 9, decoderSteps: 5, priorGuidanceScale: 2 },
  { ...short, prompt: 'a cat', seed: 3, priorSteps: 4, decoderSteps: 6, priorGuidanceScale: 0, decoderGuidanceScale: 3 },
  { ...short, prompt: ['a boat', 'a tree'], seed: 4 },
  { ...short, prompt: 'wide', seed: 6, width: 256 }
]

/**
 * @template T
 * @param {PipelineOptions} options
 * @param {(pipeline: Pipeline) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withPipeline(options, use) {
  const pipeline = await Pipeline.load(model, { device, dtype, ...options })
  try {
    return await use(pipeline)
  } finally {
    await pipeline.dispose()
  }
}

/** @param {Pipeline} pipeline @param {GenerateOptions} request */
async function imagesOf(pipeline, request) {
  return (await pipeline.generate(request)).images
}

/**
 * Throws where two lists of images are further apart than `allowed`; says how far they are.
 * @param {GeneratedImage[]} actual
 * @param {GeneratedImage[]} expected
 */
function compare(actual, expected, allowed = most) {
  assert.equal(actual.length, expected.length)
  const { mean, max } = furthest(
    actual.map(({ data }) => data),
    expected.map(({ data }) => data)
  )
  const text = `mean ${mean.toFixed(3)}, largest ${max} of 255`
  assert(mean <= allowed, `Expected at most ${allowed} between images but they differ by ${text}`)
  return text
}

/** @param {() => Promise<unknown>} call */
async function codeOf(call) {
  try {
    await call()
    return 'no error'
  } catch (error) {
    return error instanceof WuerstchenError ? error.code : String(error)
  }
}

/** Megabytes: of this process on the GPU as the driver counts them, NaN where it does not say; on the CPU what is resident. */
function megabytes() {
  if (device === 'cpu') return Math.round(process.memoryUsage.rss() / 2 ** 20)
  const { stdout } = spawnSync('nvidia-smi', ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'], {
    encoding: 'utf8'
  })
  return Number(new RegExp(`^${process.pid}, (\\d+)$`, 'm').exec(stdout ?? '')?.[1])
}

/** @param {GeneratedImage[]} images @param {string} name */
async function save(images, name) {
  if (values.pictures === undefined) return
  for (const [index, image] of images.entries()) await image.toFile(join(values.pictures, `${name}-${index}.png`))
}

/** @type {Record<string, () => Promise<string>>} */
const checks = {
  /** Requests with different prompts, steps, guidance and sizes give together what each gives alone. */
  batches: () =>
    withPipeline({ maxBatch: 8 }, async pipeline => {
      const alone = []
      for (const request of requests) alone.push(await imagesOf(pipeline, request))
      const before = pipeline.stats().batchSizes
      const together = await Promise.all(requests.map(request => imagesOf(pipeline, request)))
      const shared = Object.entries(pipeline.stats().batchSizes).filter(
        ([images, runs]) => Number(images) > 1 && runs > (before[Number(images)] ?? 0)
      )
      assert(shared.length > 0, 'Expected shared runs but every image ran alone')
      await save(alone.flat(), 'alone')
      return `${compare(together.flat(), alone.flat())}; up to ${shared.at(-1)?.[0]} images a run`
    }),

  /** The same pictures wherever the halves are, from one engine or several. */
  async placements() {
    const request = { ...short, prompt: ['a red heart', 'a blue house', 'a cat'] }
    const expected = await withPipeline({}, pipeline => imagesOf(pipeline, request))
    const texts = []
    for (const place of [
      [device, device],
      [device, 'cpu'],
      { prior: device, decoder: 'cpu' },
      { prior: 'cpu', decoder: device }
    ]) {
      const images = await withPipeline({ device: place, dtype: undefined }, pipeline => imagesOf(pipeline, request))
      texts.push(`${JSON.stringify(place)} ${compare(images, expected, Math.max(most, 4))}`)
    }
    return texts.join('; ')
  },

  async residency() {
    const expected = await withPipeline({}, pipeline => imagesOf(pipeline, short))
    return withPipeline({ residency: 'sequential' }, async pipeline => compare(await imagesOf(pipeline, short), expected, 0.1))
  },

  /** An abort ends the work at the next step; who shares its runs is not disturbed. */
  cancels: () =>
    withPipeline({ maxBatch: 8 }, async pipeline => {
      const expected = await imagesOf(pipeline, short)
      const controller = new AbortController()
      let aborted = NaN
      const long = pipeline.generate({
        ...short,
        prompt: 'a cat',
        priorSteps: 500,
        signal: controller.signal,
        onStep: ({ step }) => {
          if (step < 5 || !Number.isNaN(aborted)) return
          aborted = performance.now()
          controller.abort(new Error('enough'))
        }
      })
      const neighbour = imagesOf(pipeline, short)
      await assert.rejects(long, /enough/)
      const ended = performance.now()
      while (pipeline.stats().cancelled === 0 && performance.now() - ended < 5000) await delay(1)
      assert.equal(pipeline.stats().cancelled, 1)
      return `${compare(await neighbour, expected)}; rejected after ${(ended - aborted).toFixed(1)} ms, out of the engine after ${(performance.now() - aborted).toFixed(1)} ms or less`
    }),

  /** What a pipeline took is given back when it is disposed. */
  async memory() {
    const after = []
    let loaded = 0
    for (let cycle = 0; cycle < 6; cycle++) {
      await withPipeline({}, async pipeline => {
        await pipeline.generate({
          ...short,
          prompt: ['a', 'b', 'c', 'd'],
          width: 512,
          height: 512,
          priorSteps: 2,
          decoderSteps: 2
        })
        loaded = megabytes()
      })
      after.push(megabytes())
    }
    const text = `${loaded} MB in use, after each dispose ${after.join(', ')} MB`
    if (Number.isNaN(after[0])) return 'not known: the driver does not say what a process uses'
    const [, second = NaN, last = NaN] = [...after.slice(0, 2), after.at(-1)]
    assert(last - second <= 32, `Expected the same after every dispose but there are ${text}`)
    return text
  },

  async errors() {
    const codes = [
      await codeOf(() => Pipeline.load(model, { device: 'cuda:7' })),
      await codeOf(() => Tensor.from(new Float32Array(4), [4]).to('cuda:7'))
    ]
    assert.deepEqual(codes, ['DEVICE_UNAVAILABLE', 'DEVICE_UNAVAILABLE'])
    return codes.join(', ')
  },

  async tensors() {
    const given = Float32Array.from({ length: 1 << 20 }, (_, index) => index % 1024)
    const there = await Tensor.from(given, [1024, 1024]).to(device)
    const half = await there.to('float16')
    const back = await (await half.to('cpu')).to('float32')
    assert.deepEqual(await back.data(), given)
    assert.deepEqual(await there.data(), given)
    for (const tensor of [there, half, back]) tensor.dispose()
    return `${there.device === undefined ? '' : there.device}`
  },

  /** A program by itself. */
  async stage() {
    const artefact = await withPipeline({}, async ({ artefacts }) => artefacts.find(({ stage }) => stage === 'vqDecoder'))
    assert(artefact !== undefined && model !== undefined)
    const stage = await Stage.load(join(model, artefact.file), { device })
    const latents = await (await Tensor.from(new Float32Array(4 * 32 * 32).fill(0.1), [1, 4, 32, 32]).to(device)).to(dtype)
    const [pixels] = await stage.run([latents])
    assert(pixels !== undefined)
    const data = await (await pixels.to('float32')).data()
    assert(data instanceof Float32Array && data.every(Number.isFinite), 'Expected finite numbers')
    const text = `${pixels.shape.join('×')} on ${pixels.device}`
    await stage.dispose()
    return text
  },

  previews: () =>
    withPipeline({}, async pipeline => {
      /** @type {{ width: number, height: number }[]} */
      const seen = []
      const { images } = await pipeline.generate({ ...short, previews: 3, onPreview: ({ image }) => seen.push(image) })
      assert.equal(seen.length, 3)
      return `${seen.length} of ${seen[0]?.width}×${seen[0]?.height}; with and without: ${compare(images, await imagesOf(pipeline, short), 0.1)}`
    }),

  /** Real images in. */
  modifies: () =>
    withPipeline({}, async pipeline => {
      const [original] = await imagesOf(pipeline, short)
      assert(original !== undefined)
      const left = Uint8Array.from({ length: size.width * size.height }, (_, index) =>
        index % size.width < size.width / 2 ? 255 : 0
      )
      const steps = { priorSteps: 6, decoderSteps: 4, seed: 5 }
      const calls = {
        reconstruct: await pipeline.reconstruct(original, { decoderSteps: 4, seed: 5 }),
        vary: await pipeline.vary(original, { ...steps, strength: 0.4, n: 2 }),
        edit: await pipeline.edit(original, { ...steps, prompt: 'a blue house' }),
        inpaint: await pipeline.edit(original, { ...steps, prompt: 'a blue house', mask: { ...size, data: left } })
      }
      for (const [name, { images }] of Object.entries(calls)) await save(images, name)
      const kept = calls.inpaint.images[0]?.data.every(
        (value, index) => Math.floor(index / 3) % size.width < size.width / 2 || value === original.data[index]
      )
      assert(kept, 'Expected every pixel outside the mask as it was')
      const latents = await pipeline.encodeLatents(original)
      const [back] = await pipeline.decodeLatents(latents)
      assert(back !== undefined)
      return `${Object.keys(calls).join(', ')}; Stage A there and back: mean ${pixelDifference(back.data, original.data).mean.toFixed(1)}`
    }),

  /** Too large an image is refused with a typed error, and the next one of the usual size is what it was. */
  exhaustion: () =>
    withPipeline({}, async pipeline => {
      const expected = await imagesOf(pipeline, short)
      const huge = { ...short, prompt: Array(8).fill('a'), width: 4096, height: 4096, priorSteps: 1, decoderSteps: 1 }
      const code = await codeOf(() => pipeline.generate(huge))
      assert.equal(code, 'OUT_OF_MEMORY')
      return `${code}; afterwards ${compare(await imagesOf(pipeline, short), expected, 0.1)}`
    })
}

const names = values.only?.split(',') ?? Object.keys(checks).filter(name => name !== 'exhaustion')
for (const name of names) {
  const started = performance.now()
  /** @param {string} word @param {string} text */
  const say = (word, text) =>
    console.log(`${word.padEnd(6)} ${name.padEnd(11)} ${((performance.now() - started) / 1000).toFixed(1)} s  ${text}`)
  try {
    const check = checks[name]
    assert(check !== undefined, `Expected some of ${Object.keys(checks).join()} for --only`)
    say('ok', await check())
  } catch (error) {
    say('FAILED', error instanceof WuerstchenError ? `${error.code}: ${error.message}` : String(Object(error).stack))
    process.exitCode = 1
  }
}
