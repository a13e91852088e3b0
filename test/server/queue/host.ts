/**
 * A process with a worker, or with a server, of a queue: one that tests can kill. Its pictures take the time that it is told to, and
 * their bytes say their seeds, so that whoever makes them again makes the same.
 */
import { createApp } from '../../../lib/server/http/app.js'
import { createWorkerApp } from '../../../lib/server/http/worker-app.js'
import type { JobResult, Work, WorkEvent } from '../../../lib/server/jobs/work.js'
import { serverOptions } from '../../../lib/server/options.js'
import { queueService } from '../../../lib/server/queue/queue-service.js'
import type { TicketTimes } from '../../../lib/server/queue/tickets.js'
import { workerOptions } from '../../../lib/server/worker-options.js'

export interface HostOptions {
  role: 'worker' | 'server'
  queue: string
  models?: Record<string, string>
  results?: string
  /** How many steps a picture has, and how long each takes. */
  steps?: number
  stepMs?: number
  times?: TicketTimes
  maxJobs?: number
  once?: boolean
  limits?: Record<string, number>
  apiKeys?: string[]
}

export type HostMessage = { ready: string } | { started: string } | { stopped: string } | { over: true } | { failed: string }

const options = JSON.parse(process.argv[2]!) as HostOptions
const tell = (message: HostMessage) => process.send?.(message)
// Whoever started it has ended: nobody needs it any more.
process.once('disconnect', () => process.exit())

const { limits = {}, queue } = options
if (options.role === 'worker') await work()
else await serve()

async function serve(): Promise<void> {
  const { results, apiKeys } = options
  const checked = serverOptions({ queue, limits, ...(results ? { results } : {}), ...(apiKeys ? { apiKeys } : {}) })
  const app = await createApp(checked, false, { open: queueService })
  process.once('SIGTERM', () => void app.close().then(() => process.exit()))
  tell({ ready: await app.listen({ port: 0, host: '127.0.0.1' }) })
}

async function work(): Promise<void> {
  const { models, results, times, maxJobs, once } = options
  const checked = workerOptions({
    ...{ queue, models, limits },
    ...(results ? { results } : {}),
    ...(maxJobs ? { maxJobs } : {}),
    ...(once ? { once } : {})
  })
  const worker = await createWorkerApp(checked, false, { load: async () => ({ dispose: async () => {} }), run }, times)
  const end = () => void worker.close().then(() => process.exit())
  process.once('SIGTERM', end)
  void worker.over.then(() => tell({ over: true })).then(end)
  const address = await worker.server.listen({ port: 0, host: '127.0.0.1' })
  await worker.start()
  tell({ ready: address })
}

async function run(_: unknown, job: Work, signal: AbortSignal, emit: (event: WorkEvent) => void): Promise<JobResult> {
  const { steps = 4, stepMs = 20 } = options
  const { prompt = '', seed = 0 } = job.options as { prompt?: string; seed?: number }
  tell({ started: prompt })
  // What kills every worker that runs it.
  if (prompt === 'poison') process.kill(process.pid, 'SIGKILL')
  for (let step = 1; step <= steps; step++) {
    await new Promise(resolve => setTimeout(resolve, stepMs))
    if (signal.aborted) {
      tell({ stopped: prompt })
      throw signal.reason
    }
    for (let image = 0; image < job.images; image++) emit({ type: 'step', image, stage: 'prior', step, steps })
  }
  const format = 'file' in job ? job.file.format : 'png'
  const images = Array.from({ length: job.images }, (_each, image) => ({
    file: Buffer.from(`picture of ${prompt} with ${seed + image}`),
    ...{ format, width: 128, height: 128, seed: seed + image },
    parameters: {
      ...{ prompt, negativePrompt: '', width: 128, height: 128, seed: seed + image, model: { name: 'm', hash: 'h' } },
      ...{ device: 'cpu', dtype: 'float32', versions: { wuerstchen: '0', torch: '0' }, rng: 'torch-cpu' as const }
    }
  }))
  for (const [image, result] of images.entries()) emit({ type: 'image', image, result })
  return {
    kind: 'images',
    images,
    timings: { queued: 0, priorText: 0, prior: 1, decoderText: 0, decoder: 1, vqDecoder: 0, total: 2 } as never,
    cut: []
  }
}
