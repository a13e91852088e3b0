/** A worker thread that loads a pipeline, makes an image, and then is idle, or busy for longer than anybody waits. */
import { parentPort, workerData } from 'node:worker_threads'
import { Pipeline } from '../../../dist/index.js'
import { MODEL } from './programs.mjs'

const QUICK = { prompt: 'a', width: 128, height: 128, priorSteps: 1, decoderSteps: 1, seed: 1 }
const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32' })
await pipeline.generate(QUICK)
if (workerData === 'busy')
  await pipeline.generate({ ...QUICK, priorSteps: 1000, onStep: ({ step }) => step === 3 && parentPort?.postMessage('ready') })
else parentPort?.on('message', () => {}).postMessage('ready')
