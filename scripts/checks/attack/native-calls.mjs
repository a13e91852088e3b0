/** Every function of the addon, by its contract in lib/native.ts, with arguments that it takes. */
import { WuerstchenError } from '../../../dist/index.js'
import { engineSpec, programOf } from './programs.mjs'
/** @import { Any, Call, World } from './call.mjs' */

const text = () => ({ ids: new BigInt64Array(77).fill(5n), mask: new BigInt64Array(77).fill(1n) })
/** @param {World} world */
const engineRequest = ({ native }) => ({
  gridHeight: 3,
  gridWidth: 3,
  images: [{ seed: 1, randomOffset: 0, priorText: 0, priorNegativeText: 1, decoderText: 0, decoderNegativeText: -1 }],
  priorTexts: [text(), text()],
  decoderTexts: [text()],
  prior: { timesteps: Float64Array.of(1, 0), sampler: 'ddpm', guidanceScale: 2, guidanceFrom: 0, guidanceTo: 1 },
  decoder: { timesteps: Float64Array.of(1, 0), sampler: 'dpm-solver++', guidanceScale: 0, guidanceFrom: 0, guidanceTo: 1 },
  priorLatents: native.createTensor(new Float32Array(144), [1, 16, 3, 3], 'float32'),
  embeddings: null,
  mask: null,
  decoderLatents: null,
  decoderSource: null,
  previews: 1
})
const pixels = () => ({ data: new Uint8Array(128 * 128 * 3), width: 128, height: 128 })
/** Of a size that the system takes back at once when it is freed. */
const bigPixels = () => ({ data: new Uint8Array(4096 * 2048 * 3), width: 4096, height: 2048 })
const grid = () => ({ gridHeight: 3, gridWidth: 3, fit: 'cover' })

/** @param {string} method @param {(world: World) => Any[]} args @param {Partial<Call>} [more] @returns {Call} */
const onAddon = (method, args, more) => ({ self: world => world.native, method, args, binding: true, ...more })

/** @type {Readonly<Record<string, Call>>} */
export const BINDING = {
  initialize: onAddon('initialize', () => [WuerstchenError], { weight: 0.1, last: true }),
  runtimeInfo: onAddon('runtimeInfo', () => [], { weight: 0.2 }),
  createTensor: onAddon('createTensor', () => [new Float32Array(8), [2, 4], 'float32'], { weight: 4 }),
  'createTensor, big': onAddon('createTensor', () => [new Uint8Array(1 << 24), [1 << 24], 'uint8'], { weight: 0.5 }),
  tensorInfo: onAddon('tensorInfo', world => [world.tensorHandle]),
  tensorTo: onAddon('tensorTo', world => [world.tensorHandle, null, 'float16']),
  tensorData: onAddon('tensorData', world => [world.tensorHandle]),
  disposeTensor: onAddon('disposeTensor', world => [world.native.createTensor(new Uint8Array(1), [1], 'uint8')]),
  loadStage: onAddon('loadStage', () => [programOf('vqDecoder'), 'cpu', 1], { weight: 2 }),
  runStage: onAddon('runStage', world => [world.stageHandle, 'forward', [world.latentsHandle]], { weight: 3 }),
  disposeStage: onAddon('disposeStage', world => [world.stageHandle], { weight: 0.3 }),
  createEngine: onAddon('createEngine', () => [engineSpec(), () => {}], { weight: 0.5 }),
  submit: onAddon('submit', world => [world.engineHandle, engineRequest(world), () => {}], { weight: 8 }),
  cancel: onAddon('cancel', world => [world.engineHandle, 1]),
  preprocessImage: onAddon('preprocessImage', () => [pixels(), grid()], { weight: 2 }),
  'preprocessImage, big': onAddon('preprocessImage', () => [bigPixels(), grid()], { weight: 0.3 }),
  encodeImage: onAddon('encodeImage', world => [world.engineHandle, pixels(), grid()], { weight: 2 }),
  encodeLatents: onAddon('encodeLatents', world => [world.engineHandle, pixels()], { weight: 2 }),
  decodeLatents: onAddon('decodeLatents', world => [world.engineHandle, world.latentsHandle]),
  engineStats: onAddon('engineStats', world => [world.engineHandle]),
  disposeEngine: onAddon('disposeEngine', world => [world.engineHandle], { weight: 0.1 }),
  liveObjects: onAddon('liveObjects', () => []),
  shutdown: onAddon('shutdown', () => [], { weight: 0.05, last: true })
}
