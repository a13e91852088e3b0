import type { Pipeline } from '../index.js'
import { pipelineBackend } from './models/backend.js'
import type { CheckedOptions } from './options.js'
import { queueService } from './queue/queue-service.js'
import type { Foundation } from './service.js'

/** What a server stands on by its options: models in this process, or a queue. */
export function foundationOf({ queue, pipeline }: CheckedOptions): Foundation<Pipeline> {
  return queue === undefined ? { backend: pipelineBackend(pipeline) } : { open: queueService }
}
