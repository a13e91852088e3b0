/** Every function of the package, with arguments that it takes. */
import * as wuerstchen from '../../../dist/index.js'
import { functionsOf, MODEL, VQ_DECODER } from './programs.mjs'
/** @import { Any, Call, World } from './call.mjs' */

const { Embeddings, Pipeline, Stage, Tensor, WuerstchenError } = wuerstchen

const QUICK = { prompt: 'a cat', width: 128, height: 128, priorSteps: 1, decoderSteps: 1 }
const picture = () => ({ data: new Uint8Array(128 * 128 * 3).fill(50), width: 128, height: 128, channels: 3 })

/** @param {string} method @param {(world: World) => Any[]} args @param {Partial<Call>} [more] @returns {Call} */
const onPipeline = (method, args, more) => ({ self: world => world.pipeline, method, args, ...more })
/**
 * @param {Any} owner
 * @param {string} method
 * @param {(world: World) => Any[]} args
 * @param {Partial<Call>} [more]
 * @returns {Call}
 */
const onClass = (owner, method, args, more) => ({ self: () => owner, method, args, ...more })
/** @param {string} property @param {(world: World) => Any} self @returns {Call} */
const getter = (property, self) => ({ self, method: property, args: () => [], kind: 'get', weight: 0.3 })

const generateOptions = () => ({
  ...QUICK,
  negativePrompt: '',
  numImagesPerPrompt: 1,
  seed: 1,
  priorGuidanceScale: 2,
  decoderGuidanceScale: 0,
  previews: 1,
  onPreview: () => {},
  onStep: () => {},
  signal: new AbortController().signal,
  latents: Tensor.from(new Float32Array(144), [1, 16, 3, 3])
})
const imageOptions = () => ({ ...QUICK, n: 1, seed: 1, signal: new AbortController().signal, fit: 'cover' })

/** @type {Readonly<Record<string, Call>>} */
export const PUBLIC = {
  'Tensor.from': onClass(Tensor, 'from', () => [new Float32Array(8), [2, 4], 'float32'], { weight: 3 }),
  'Tensor#to': { self: world => world.tensor, method: 'to', args: () => ['float16'] },
  'Tensor#data': { self: world => world.tensor, method: 'data', args: () => [] },
  'Tensor#dispose': { self: world => world.tensor, method: 'dispose', args: () => [], weight: 0.3 },
  'Tensor#[dispose]': { self: world => world.tensor, method: Symbol.dispose ?? 'dispose', args: () => [], weight: 0.3 },
  'Tensor#disposed': getter('disposed', world => world.tensor),
  'Stage.load': onClass(Stage, 'load', () => [
    VQ_DECODER,
    { device: 'cpu', threads: 1, verify: true, dtype: 'float32', kind: 'torchscript', functions: functionsOf('vqDecoder') }
  ]),
  'Stage#run': { self: world => world.stage, method: 'run', args: world => [[world.latents], 'forward'], weight: 3 },
  'Stage#run by name': { self: world => world.stage, method: 'run', args: world => [{ latents: world.latents }] },
  'Stage#dispose': { self: world => world.stage, method: 'dispose', args: () => [], weight: 0.2 },
  'Stage#disposed': getter('disposed', world => world.stage),
  'Embeddings.from': onClass(Embeddings, 'from', () => [Tensor.from(new Float32Array(144), [1, 16, 3, 3])]),
  'Embeddings.load': onClass(Embeddings, 'load', world => [world.embeddingsFile]),
  'Embeddings.mix': onClass(
    Embeddings,
    'mix',
    world => [
      [world.embeddings, world.embeddings],
      [1, 2]
    ],
    { weight: 2 }
  ),
  'Embeddings.interpolate': onClass(Embeddings, 'interpolate', world => [world.embeddings, world.embeddings, 3]),
  'Embeddings#toFile': {
    self: world => world.embeddings,
    method: 'toFile',
    args: () => ['out.safetensors', { dtype: 'float16' }]
  },
  'Embeddings#toBuffer': { self: world => world.embeddings, method: 'toBuffer', args: () => [{ dtype: 'float16' }] },
  'Embeddings#dispose': { self: world => world.embeddings, method: 'dispose', args: () => [], weight: 0.3 },
  'Embeddings#tensor': getter('tensor', world => world.embeddings),
  'Embeddings#length': getter('length', world => world.embeddings),
  'Embeddings#disposed': getter('disposed', world => world.embeddings),
  'Pipeline.load': onClass(
    Pipeline,
    'load',
    () => [
      MODEL,
      { device: 'cpu', dtype: 'float32', threads: 1, residency: 'all', maxBatch: 1, verify: true, onProgress: () => {} }
    ],
    { weight: 0.5 }
  ),
  'Pipeline#generate': onPipeline('generate', () => [generateOptions()], { weight: 6 }),
  'Pipeline#generate lists': onPipeline(
    'generate',
    () => [
      {
        prompt: ['a', 'b'],
        negativePrompt: ['c', 'd'],
        seeds: [1, 2],
        width: 128,
        height: 128,
        priorTimesteps: [1, 0.5, 0],
        decoderTimesteps: Float64Array.of(1, 0)
      }
    ],
    { weight: 3 }
  ),
  'Pipeline#stream': onPipeline('stream', () => [generateOptions()], { weight: 2 }),
  'Pipeline#prior': onPipeline('prior', () => [{ prompt: 'a', width: 128, height: 128, priorSteps: 1, seed: 1 }], { weight: 2 }),
  'Pipeline#decode': onPipeline('decode', world => [world.embeddings, { decoderSteps: 1, prompt: 'a', seed: 1 }], { weight: 2 }),
  'Pipeline#encodeImage': onPipeline('encodeImage', () => [picture(), { width: 128, height: 128, fit: 'cover' }], { weight: 2 }),
  'Pipeline#reconstruct': onPipeline('reconstruct', () => [[picture()], { width: 128, height: 128, decoderSteps: 1 }]),
  'Pipeline#vary': onPipeline('vary', () => [picture(), { ...imageOptions(), strength: 0.5 }], { weight: 2 }),
  'Pipeline#edit': onPipeline('edit', () => [picture(), { ...imageOptions(), strength: 0.5, mask: picture(), feather: 1 }], {
    weight: 2
  }),
  'Pipeline#encodeLatents': onPipeline('encodeLatents', () => [picture(), { width: 128, height: 128 }]),
  'Pipeline#decodeLatents': onPipeline('decodeLatents', world => [world.latents, {}]),
  'Pipeline#stats': onPipeline('stats', () => [], { weight: 0.3 }),
  'Pipeline#model': getter('model', world => world.pipeline),
  'Pipeline#artefacts': getter('artefacts', world => world.pipeline),
  'Pipeline#disposed': getter('disposed', world => world.pipeline),
  'Pipeline#dispose': onPipeline('dispose', () => [], { weight: 0.1 }),
  'GeneratedImage#toBuffer': {
    self: world => world.image,
    method: 'toBuffer',
    args: () => ['png', { metadata: true, quality: 90 }]
  },
  'GeneratedImage#toFile': {
    self: world => world.image,
    method: 'toFile',
    args: () => ['out.png', { metadata: true, format: 'png' }]
  },
  readParameters: onClass(wuerstchen, 'readParameters', () => [Buffer.from('89504e470d0a1a0a', 'hex')]),
  uniformTimesteps: onClass(wuerstchen, 'uniformTimesteps', () => [4], { weight: 0.5 }),
  'WuerstchenError.is': onClass(WuerstchenError, 'is', () => [new Error('x'), 'INTERNAL'], { weight: 0.3 }),
  'new WuerstchenError': onClass(wuerstchen, 'WuerstchenError', () => ['INTERNAL', 'x', { subject: null }], {
    kind: 'construct',
    weight: 0.3
  })
}
