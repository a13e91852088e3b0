#!/usr/bin/env node
/**
 * Compares the images of two ways to run the same model, image by image, and prints differences and times.
 *
 *   node scripts/checks/compare-devices.mjs MODEL_DIR cpu:float32 cuda:float16
 *     [--most-pixels 8] [--most-embeddings 0.05] [--kind aoti]
 *
 * Exit code 1 where the mean difference of the pixels (of 255) or the relative difference of the embeddings is larger than
 * allowed, or the networks of the second way are not of the kind that was asked for. The parity tests compare the CPU in float32
 * with diffusers.
 */
import { parseArgs } from 'node:util'
/** @import { FloatDtype } from '../../dist/index.js' */
import { furthest } from './pixels.mjs'
import { Pipeline } from '../../dist/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'most-pixels': { type: 'string', default: '8' },
    'most-embeddings': { type: 'string', default: '0.05' },
    kind: { type: 'string' }
  }
})
const [model, expected, actual] = positionals
if (expected === undefined || actual === undefined)
  throw new Error('Expected MODEL_DIR and two of device:dtype, such as cpu:float32 cuda:float16')

const request = { prompt: ['a red heart', 'a blue house'], seed: 7, priorSteps: 8, decoderSteps: 6 }

/** @param {string} place such as `cuda:float16` or `cuda:1:float16` */
async function run(place) {
  const at = place.lastIndexOf(':')
  const dtype = /** @type {FloatDtype} */ (place.slice(at + 1)) // which load() checks
  const loading = performance.now()
  const pipeline = await Pipeline.load(model, { device: place.slice(0, at), dtype })
  const loaded = performance.now()
  try {
    await pipeline.generate({ ...request, priorSteps: 1, decoderSteps: 1 }) // first runs choose kernels
    const { timings } = await pipeline.generate(request)
    console.log(`${place}: loaded in ${(loaded - loading).toFixed(0)} ms; generate ${JSON.stringify(timings)} ms`)
    const embeddings = await pipeline.prior({ prompt: request.prompt, seed: request.seed, priorSteps: request.priorSteps })
    const { images } = await pipeline.decode(embeddings, { decoderSteps: request.decoderSteps, seed: request.seed })
    const networks = pipeline.artefacts.filter(({ stage }) => ['prior', 'decoder', 'vqDecoder'].includes(stage))
    return {
      kinds: networks.map(({ kind }) => kind),
      embeddings: Float64Array.from(await embeddings.tensor.data(), Number),
      pixels: images.map(({ data }) => data)
    }
  } finally {
    await pipeline.dispose()
  }
}

/**
 * Root of the summed squared difference, relative to the reference.
 * @param {Float64Array} reference
 * @param {Float64Array} other
 */
function relative(reference, other) {
  let [difference, size] = [0, 0]
  for (const [index, value] of reference.entries()) {
    difference += (value - (other[index] ?? NaN)) ** 2
    size += value ** 2
  }
  return Math.sqrt(difference / size)
}

const [a, b] = [await run(expected), await run(actual)]
const embeddings = relative(a.embeddings, b.embeddings)
const { mean, max: largest } = furthest(b.pixels, a.pixels)
if (values.kind !== undefined && b.kinds.some(kind => kind !== values.kind))
  throw new Error(`Expected ${values.kind} for every network but ${b.kinds.join(', ')} were chosen`)
const ok = embeddings <= Number(values['most-embeddings']) && mean <= Number(values['most-pixels'])
console.log(
  `${expected} and ${actual}: embeddings ${embeddings.toExponential(2)} relative; pixels mean ${mean.toFixed(3)}, largest ${largest} of 255: ${ok ? 'ok' : 'TOO FAR APART'}`
)
if (!ok) process.exitCode = 1
