/**
 * A process with a worker, or with a server, of a queue: one that tests can kill. Its pictures take the time that it is told to,
 * and their bytes say their seeds, so that whoever makes them again makes the same. It runs dist/: compiling takes longer than
 * a test.
 */
/** What is not public has no types there. @param {string} name */
const ours = name => import(new URL(`../../dist/server/${name}`, import.meta.url).href)
const { createApp } = await ours('http/app.js')
const { createWorkerApp } = await ours('http/worker-app.js')
const { serverOptions } = await ours('options.js')
const { queueService } = await ours('queue/queue-service.js')
const { workerOptions } = await ours('worker-options.js')

/**
 * @typedef {object} HostOptions
 * @property {'worker' | 'server'} role
 * @property {string} queue
 * @property {Record<string, string>} [models]
 * @property {string} [results]
 * @property {number} [steps] of a picture, and how long each takes
 * @property {number} [stepMs]
 * @property {import('../../lib/server/queue/tickets.js').TicketTimes} [times]
 * @property {number} [maxJobs]
 * @property {boolean} [once]
 * @property {Record<string, number>} [limits]
 * @property {string[]} [apiKeys]
 * @property {number} [graceSeconds]
 */

/**
 * `worker` is its name in the queue.
 * @typedef {Partial<Record<'ready' | 'worker' | 'started' | 'stopped' | 'over', string>>} HostMessage
 */

/** @type {HostOptions} */
const {
  role,
  queue,
  models,
  results,
  steps = 4,
  stepMs = 20,
  times,
  maxJobs,
  once,
  limits = {},
  apiKeys,
  graceSeconds
} = JSON.parse(process.argv[2] ?? '{}')
/** @param {HostMessage} message */
const tell = message => void process.send?.(message)
// Whoever started it has ended: nobody needs it any more.
process.once('disconnect', () => process.exit())

/** @param {object} options */
const given = options => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

const shared = given({ queue, results, limits, apiKeys, graceSeconds })
if (role === 'worker') await work()
else await serve()

async function serve() {
  const app = await createApp(serverOptions(shared), false, { open: queueService })
  process.once('SIGTERM', () => void app.close().then(() => process.exit()))
  tell({ ready: await app.listen({ port: 0, host: '127.0.0.1' }) })
}

async function work() {
  const checked = workerOptions({ ...shared, ...given({ models, maxJobs, once }) })
  const backend = { load: async () => ({ dispose: async () => {} }), run }
  const worker = await createWorkerApp(checked, false, backend, times)
  const end = () => void worker.close().then(() => process.exit())
  process.once('SIGTERM', end)
  void worker.over.then(end)
  const address = await worker.server.listen({ port: 0, host: '127.0.0.1' })
  tell({ worker: worker.id })
  await worker.start()
  tell({ ready: address })
}

/** @type {import('../../lib/server/models/backend.js').Backend<import('../../lib/server/models/slot.js').Loadable>['run']} */
async function run(_, job, signal, emit) {
  const { prompt = '', seed = 0 } = /** @type {{ prompt?: string, seed?: number }} */ (job.options)
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
      ...{ device: 'cpu', dtype: 'float32', versions: { wuerstchen: '0', torch: '0' }, rng: /** @type {const} */ ('torch-cpu') }
    }
  }))
  for (const [image, result] of images.entries()) emit({ type: 'image', image, result })
  const timings = {
    queued: 0,
    priorTextEncoder: 0,
    prior: steps * stepMs,
    decoderTextEncoder: 0,
    decoder: 0,
    vqDecoder: 0,
    total: 0
  }
  return { kind: 'images', images, timings: /** @type {import('../../lib/index.js').Timings} */ (timings), cut: [] }
}
