import { Pipeline, type PipelineOptions } from '../../index.js'
import type { JobResult, Work, WorkEvent } from '../jobs/work.js'
import type { ModelFacts } from './model.js'
import { runWork } from './run-work.js'
import type { Loadable } from './slot.js'

/** How a model is loaded, and how work runs on it; tests put something quicker in its place. */
export interface Backend<T extends Loadable = Pipeline> {
  load(facts: ModelFacts): Promise<T>
  run(model: T, work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void): Promise<JobResult>
}

/** The real thing. */
export function pipelineBackend(options: PipelineOptions): Backend {
  return { load: facts => loadModel(facts, options), run: runWork }
}

/** Loads a model and makes one image with it, so that the first request finds everything in its place. */
async function loadModel({ path, defaults }: ModelFacts, options: PipelineOptions): Promise<Pipeline> {
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
