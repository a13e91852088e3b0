import type { PipelineOptions } from '../../engine/load-options.js'
import { Pipeline } from '../../pipeline/pipeline.js'
import type { ModelFacts } from './model.js'

/** Loads a model and makes one picture with it, so that the first request finds everything in its place. */
export async function loadModel({ path, defaults }: ModelFacts, options: PipelineOptions): Promise<Pipeline> {
  const pipeline = await Pipeline.load(path, options)
  try {
    // At the size that most requests will have; the steps cost the same each.
    await pipeline.generate({
      prompt: '',
      width: defaults.width,
      height: defaults.height,
      priorSteps: 1,
      decoderSteps: 1,
      seed: 0
    })
    return pipeline
  } catch (error) {
    await pipeline.dispose()
    throw error
  }
}
