/** A worker thread of the lifecycle tests. It loads a pipeline, makes images on request, and reports each one. */
import { parentPort as port, workerData } from 'node:worker_threads'

const { packageUrl, smallModel, options, dispose } = workerData
const { Pipeline } = await import(packageUrl)
const pipeline = await Pipeline.load(smallModel, { threads: 1 })
port?.postMessage('loaded')
const { images } = await pipeline.generate({ ...options, onStep: () => port?.postMessage('step') })
port?.postMessage(images[0].data)
if (dispose) await pipeline.dispose()
