// `measureColdStarts` starts this process. It loads the package and a model, makes one image, and reports each step to its
// parent. The argument is one JSON object with `model`, `pipeline` and `sampling`. Each line on stdout is one JSON object.
import type { PipelineOptions } from '../index.js'
import type { Sampling } from './settings.js'

export interface FirstPictureArguments {
  model: string
  pipeline: Omit<PipelineOptions, 'signal' | 'onProgress'>
  sampling: Sampling
  seed: number
}
export type FirstPictureEvent = { event: 'imported' | 'loaded' } | { event: 'picture'; peakBytes: number }

const say = (event: FirstPictureEvent) => process.stdout.write(`${JSON.stringify(event)}\n`)

const { Pipeline } = await import('../index.js')
say({ event: 'imported' })
const { model, pipeline: options, sampling, seed } = JSON.parse(process.argv[2]!) as FirstPictureArguments
const pipeline = await Pipeline.load(model, options)
say({ event: 'loaded' })
const { images } = await pipeline.generate({ ...sampling, seed })
await images[0]!.toBuffer('png')
say({ event: 'picture', peakBytes: process.resourceUsage().maxRSS * 1024 })
await pipeline.dispose()
