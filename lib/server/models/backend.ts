import { Pipeline, type PipelineOptions } from '../../index.js'
import type { JobResult, Work, WorkEvent } from '../jobs/work.js'
import type { ModelFacts } from './model.js'
import { runWork } from './run-work.js'
import type { Loadable } from './slot.js'

/** How a model is loaded, and how work runs on it; tests put something quicker in its place. */
export interface Backend<T extends Loadable = Pipeline> {
  load(facts: ModelFacts, signal: AbortSignal): Promise<T>
  /** Makes one image, so that the first request finds everything in its place. */
  warmUp?(model: T, facts: ModelFacts, signal: AbortSignal): Promise<void>
  run(model: T, work: Work, signal: AbortSignal, emit: (event: WorkEvent) => void): Promise<JobResult>
}

/** The real thing. */
export function pipelineBackend(options: PipelineOptions): Backend {
  return { load: ({ path }, signal) => Pipeline.load(path, { ...options, signal }), warmUp, run: runWork }
}

async function warmUp(pipeline: Pipeline, { defaults }: ModelFacts, signal: AbortSignal): Promise<void> {
  await pipeline.generate({
    prompt: '',
    // At the size that most requests will have; the steps cost the same each.
    width: defaults.width,
    height: defaults.height,
    priorSteps: 1,
    decoderSteps: 1,
    seed: 0,
    signal
  })
}
