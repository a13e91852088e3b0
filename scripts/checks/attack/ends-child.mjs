/**
 * The process that ends.mjs ends: it queues work of a kind, and then ends in a way. It says what it does in lines of JSON.
 * node ends-child.mjs KIND END QUEUED [codes]
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Pipeline, Stage, Tensor } from '../../../dist/index.js'
import { packageRoot as root } from '../../../lib/install/root.mjs'

/** @typedef {any} Any */

const MODEL = join(root, 'build', 'small-model')
const [kind, end, count, codes] = /** @type {[string, string, string, string?]} */ (
  isMainThread ? process.argv.slice(2) : workerData
)
const queued = Number(count)

/** At once, also where the process ends right after it. @param {object} line */
function say(line) {
  if (isMainThread) writeSync(1, `${JSON.stringify({ ...line, at: performance.timeOrigin + performance.now() })}\n`)
  else parentPort?.postMessage(line)
}

/**
 * A pipeline or a stage, and what is done again and again with it, which ticks at every step.
 * @returns {Promise<{ held: { dispose(): Promise<void> }, run: (tick: () => void, prompts?: number) => Promise<unknown> }>}
 */
async function prepare() {
  if (kind === 'stage') {
    const stage = await Stage.load(join(MODEL, 'vqDecoder.float32.cpu.pt'), { threads: 1 })
    const latents = Tensor.from(new Float32Array(4 * 224 * 224), [1, 4, 224, 224])
    return { held: stage, run: tick => stage.run([latents]).then(tick) }
  }
  const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32' })
  if (kind === 'encode') {
    const [width, height] = [640, 640]
    const data = new Uint8Array(width * height * 3).fill(99)
    return {
      held: pipeline,
      run: tick => pipeline.encodeImage({ data, width, height }, { width, height }).then(tick)
    }
  }
  const options = { width: 512, height: 512, priorSteps: 20, decoderSteps: 10, seed: 1 }
  let number = 0
  const prompt = () => `a photo of number ${number++}`
  const prompts = (/** @type {number} */ length) => (kind === 'prompts' ? Array.from({ length }, prompt) : prompt())
  return {
    held: pipeline,
    run: (tick, length = 400) => pipeline.generate({ ...options, prompt: prompts(length), onStep: tick })
  }
}

/**
 * The longest time between two ticks of some runs: what cannot be interrupted.
 * @param {(tick: () => void, prompts: number) => Promise<unknown>} run
 */
async function longestStep(run) {
  /** @type {number[]} */
  const ticks = []
  const tick = () => void ticks.push(performance.now())
  await run(() => {}, 4)
  tick()
  await Promise.all(Array.from({ length: kind === 'prompts' ? 1 : 5 }, () => run(tick, 4)))
  const gaps = ticks.slice(1).map((at, index) => at - /** @type {number} */ (ticks[index]))
  return Math.max(...gaps)
}

async function work() {
  const { held, run } = await prepare()
  const step = queued === 0 || codes !== undefined ? 0 : await longestStep(run)
  let [settled, begun] = [0, false]
  const tick = () => {
    begun = true
  }
  for (let i = 0; i < (kind === 'prompts' ? Math.min(1, queued) : queued); i++)
    run(tick).then(
      () => settled++,
      () => settled++
    )
  // Of 400 prompts the texts alone take long; the end comes in the middle of those.
  const from = performance.now()
  while (queued > 0 && !begun && performance.now() - from < 300) await sleep(5)
  // Images are fitted before they reach the engine's queue.
  if (kind === 'encode' && queued > 0) await sleep(400)
  if (end === 'SIGTERM, handled') process.on('SIGTERM', () => process.exit(6))
  say({ ending: end, step })
  switch (end) {
    case 'dispose':
      await held.dispose()
      await sleep(1)
      return say({ disposed: true, settled, queued: kind === 'prompts' ? Math.min(1, queued) : queued })
    case 'exit':
      return process.exit(3)
    case 'reallyExit':
      return /** @type {Any} */ (process).reallyExit(5)
    case 'exit without listeners':
      process.removeAllListeners('exit')
      return process.exit(3)
    case 'uncaught exception':
      return setImmediate(() => {
        throw new Error('mine')
      })
    default:
    // The signal comes from outside, or the worker is terminated.
  }
}

if (isMainThread && end === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { workerData: [kind, end, count, codes] })
  worker.on('message', async line => {
    say(line)
    say({ worker: await worker.terminate() })
  })
} else await work()
