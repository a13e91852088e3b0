/** The small model as the addon takes it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot as root } from '../../../lib/install/root.mjs'

/** @typedef {any} Any */

export const MODEL = join(root, 'build', 'small-model')
export const VQ_DECODER = join(MODEL, 'vqDecoder.float32.cpu.pt')

const stages = () => JSON.parse(readFileSync(join(MODEL, 'wuerstchen.json'), 'utf8')).stages

/** @param {string} stage */
const artefactOf = stage => stages()[stage].artefacts.find((/** @type {Any} */ { dtype }) => dtype === 'float32')

/** @param {string} stage */
export const functionsOf = stage => artefactOf(stage).functions

/** @param {string} stage */
export const programOf = stage => ({
  kind: 'torchscript',
  file: join(MODEL, artefactOf(stage).file),
  dtype: 'float32',
  storage: 'float32',
  functions: functionsOf(stage)
})

export const engineSpec = () => ({
  device: 'cpu',
  threads: 1,
  maxBatch: 2,
  maxBatchCells: 0,
  residency: 'all',
  constants: {
    latentMean: 42,
    latentStd: 1,
    scaleFactor: 0.3764,
    latentDimScale: 10.67,
    latentUnit: 16,
    priorScheduler: { scaler: 1, s: 0.008 },
    decoderScheduler: { scaler: 1, s: 0.008 }
  },
  programs: Object.fromEntries(Object.keys(stages()).map(stage => [stage, programOf(stage)])),
  texts: {}
})
