/** A worker thread of the lifecycle tests: loads a pipeline, makes pictures as told, and says so. */
import { parentPort, workerData } from 'node:worker_threads'

const { packageUrl, smallModel, options, dispose } = workerData
const { Pipeline } = await import(packageUrl)
const pipeline = await Pipeline.load(smallModel, { threads: 1 })
parentPort.postMessage('loaded')
const { images } = await pipeline.generate({ ...options, onStep: () => parentPort.postMessage('step') })
parentPort.postMessage(images[0].data)
if (dispose) await pipeline.dispose()
