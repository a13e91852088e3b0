/**
 * A worker with the real engine that tells its parent, by the system's clock, when each step of a job was made, when the job was
 * told to stop, and when its engine had nothing of it any more. It runs dist/, as host.mjs does.
 */
/** What is not public has no types there. @param {string} name */
const ours = name => import(new URL(`../../dist/server/${name}`, import.meta.url).href)
const { createWorkerApp } = await ours('http/worker-app.js')
const { pipelineBackend } = await ours('models/backend.js')
const { workerOptions } = await ours('worker-options.js')

/**
 * @import { Pipeline } from '../../lib/index.js'
 * @import { Backend } from '../../lib/server/models/backend.js'
 */

/** @typedef {{ event: 'ready' | 'step' | 'told' | 'stopped', job: string, at: number, stepMs: number }} EngineMessage */

const { queue, model, threads } = JSON.parse(process.argv[2] ?? '{}')
/** @param {Partial<EngineMessage>} message */
const tell = message => void process.send?.({ at: Number(process.hrtime.bigint()) / 1e6, ...message })
process.once('disconnect', () => process.exit())

/** @type {Backend} */
const real = pipelineBackend({ threads, device: 'cpu' })
/** @type {Backend} */
const backend = {
  ...real,
  async run(pipeline, work, signal, emit) {
    const { prompt: job = '' } = /** @type {{ prompt?: string }} */ (work.options)
    /** Of each stage, the last one last: a step of the other one takes another time. @type {number[][]} */
    const times = []
    let stage = ''
    signal.addEventListener('abort', () => {
      tell({ event: 'told', job })
      void untilStopped(pipeline).then(() => tell({ event: 'stopped', job, stepMs: stepOf(times) }))
    })
    return real.run(pipeline, work, signal, event => {
      if (event.type === 'step') {
        if (event.stage !== stage) times.push([])
        stage = event.stage
        times.at(-1)?.push(performance.now())
        tell({ event: 'step', job })
      }
      emit(event)
    })
  }
}

/** The engine counts requests whose call is over until it has dropped them. @param {Pipeline} pipeline */
async function untilStopped(pipeline) {
  for (;;) {
    const { queued, running } = pipeline.stats()
    if (queued + running === 0) return
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** The middle of the last stage that has more than one. @param {readonly number[][]} stages */
function stepOf(stages) {
  const times = stages.findLast(each => each.length > 1) ?? []
  const gaps = times.slice(1).map((time, at) => time - Number(times[at]))
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? NaN
}

const worker = await createWorkerApp(workerOptions({ queue, models: { m: model } }), false, backend)
await worker.server.ready()
await worker.start()
tell({ event: 'ready' })
