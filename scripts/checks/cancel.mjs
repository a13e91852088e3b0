#!/usr/bin/env node
/**
 * Aborts calls at random moments, and makes the same image in every way there is: `node scripts/checks/cancel.mjs [--times 100]
 * [--runs 100] [--seed 1]`. It ends with 1 where an abort is not the signal's reason, is late, leaves work in the engine or
 * changes an image beside it, or where one seed gives different images.
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Pipeline } from '../../dist/index.js'
import { Random } from './attack/random.mjs'
import { MODEL } from './attack/programs.mjs'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '100' },
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' }
  }
})
const random = new Random(Number(values.seed))
const [TIMES, RUNS] = [Number(values.times), Number(values.runs)]
/** Of 255: kernels may differ by the number of rows of a run. */
const MOST_DIFFERENCE = 1
/** An abort rejects at once; the loop may be in the middle of something. */
const REJECT_MS = 100
/** Added to a step for the engine's way out, on a machine with other work. */
const SLACK_MS = 60

const pipeline = await Pipeline.load(MODEL, { threads: 1, dtype: 'float32', maxBatch: 4 })
const long = { prompt: 'a photo of a cat', width: 384, height: 384, priorSteps: 24, decoderSteps: 8 }
const companion = { ...long, priorSteps: 12, decoderSteps: 4, prompt: 'a red house' }

/** @type {string[]} */
const faults = []
const fault = (/** @type {string} */ text) => {
  faults.push(text)
  console.log(`FAILS  ${text}`)
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function difference(a, b) {
  if (a.length !== b.length) return Infinity
  let most = 0
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(Number(a[i]) - Number(b[i])))
  return most
}

/** @param {object} options @returns {Promise<Uint8Array>} */
const pixels = async options =>
  /** @type {{ data: Uint8Array }} */ ((await pipeline.generate(/** @type {any} */ (options))).images[0]).data

/** Milliseconds from an abort until the engine has nothing. @param {number} since */
async function untilIdle(since) {
  for (;;) {
    const { queued, running } = pipeline.stats()
    if (queued + running === 0) return performance.now() - since
    if (performance.now() - since > 30_000) return Infinity
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** How long a whole call takes, and its longest step. */
async function calibrate() {
  await pipeline.generate({ ...long, seed: 1 })
  const start = performance.now()
  /** @type {number[]} */
  const at = []
  await pipeline.generate({ ...long, seed: 1, onStep: () => void at.push(performance.now()) })
  return { whole: performance.now() - start, step: Math.max(...at.slice(1).map((each, i) => each - Number(at[i]))) }
}

/** The right images of some seeds, for whoever is beside a call that is aborted. @type {Map<number, Uint8Array>} */
const right = new Map()
for (let seed = 0; seed < 4; seed++) right.set(seed, await pixels({ ...companion, seed }))
const { whole, step } = await calibrate()
console.log(`a call takes ${whole.toFixed(0)} ms, its longest step ${step.toFixed(1)} ms`)

/** @type {{ reject: number, idle: number, beside: number }[]} */
const aborted = []
for (let i = 0; i < TIMES; i++) {
  const [delay, beside, seed] = [random.next() * whole * 1.1, random.chance(0.4), random.int(4)]
  const controller = new AbortController()
  const reason = new Error(`reason ${i}`)
  const other = beside ? pixels({ ...companion, seed }) : undefined
  let since = Infinity
  const call = pipeline
    .generate({ ...long, seed: i, previews: random.int(3), onPreview: () => {}, signal: controller.signal })
    .then(
      () => 'finished',
      error => (error === reason ? performance.now() - since : `rejected with ${error}`)
    )
  setTimeout(() => {
    since = performance.now()
    controller.abort(reason)
  }, delay)
  const outcome = await call
  if (typeof outcome === 'string' && outcome !== 'finished') fault(`abort ${i} after ${delay.toFixed(0)} ms: ${outcome}`)
  const idle = typeof outcome === 'number' && !beside ? await untilIdle(since) : 0
  const changed = other === undefined ? 0 : difference(await other, /** @type {Uint8Array} */ (right.get(seed)))
  if (changed > MOST_DIFFERENCE) fault(`abort ${i} changes the image beside it by ${changed} of 255`)
  if (typeof outcome === 'number') aborted.push({ reject: outcome, idle, beside: changed })
  if ((await untilIdle(performance.now())) === Infinity) fault(`abort ${i} leaves work in the engine`)
}
const sorted = (/** @type {'reject' | 'idle'} */ what) => aborted.map(each => each[what]).toSorted((a, b) => a - b)
const at = (/** @type {number[]} */ list, /** @type {number} */ share) =>
  (list[Math.min(list.length - 1, Math.floor(list.length * share))] ?? 0).toFixed(1)
console.log(
  `${aborted.length} of ${TIMES} aborted before their end; rejected after ${at(sorted('reject'), 0.5)} ms (longest ${at(sorted('reject'), 1)}), ` +
    `out of the engine after ${at(sorted('idle'), 0.5)} ms (longest ${at(sorted('idle'), 1)}, ${(Number(at(sorted('idle'), 1)) / step).toFixed(1)} steps); ` +
    `images beside them differ by ${Math.max(0, ...aborted.map(({ beside }) => beside))} of 255 at most`
)
if (Number(at(sorted('reject'), 1)) > REJECT_MS) fault('a rejection is late')
if (Number(at(sorted('idle'), 1)) > 1.1 * step + SLACK_MS) fault('the engine goes on after an abort')

// One seed: alone, again and again, in every place of a batch of 1 to 8, as a stream, in halves, in a worker thread.
const quick = { prompt: 'a photo of a cat', width: 128, height: 128, priorSteps: 4, decoderSteps: 2 }
const expected = await pixels({ ...quick, seed: 7 })
const hashes = new Set()
for (let i = 0; i < RUNS; i++) hashes.add(Buffer.from(await pixels({ ...quick, seed: 7 })).toString('base64'))
if (hashes.size !== 1 || !hashes.has(Buffer.from(expected).toString('base64')))
  fault(`${hashes.size} images in ${RUNS} runs alone`)
let most = 0
for (let size = 1; size <= 8; size++) {
  for (let place = 0; place < size; place++) {
    const seeds = Array.from({ length: size }, (_, index) => (index === place ? 7 : 1000 + index))
    const { images } = await pipeline.generate({ ...quick, prompt: quick.prompt, numImagesPerPrompt: size, seeds })
    most = Math.max(most, difference(/** @type {any} */ (images[place]).data, expected))
  }
}
if (most > MOST_DIFFERENCE) fault(`places in batches differ by ${most}`)
for await (const event of pipeline.stream({ ...quick, seed: 7 }))
  if (event.type === 'image' && difference(/** @type {any} */ (event.image).data, expected) !== 0)
    fault('a stream gives another image')
const embeddings = await pipeline.prior({ prompt: quick.prompt, width: 128, height: 128, priorSteps: 4, seed: 7 })
const halves = (await pipeline.decode(embeddings, { decoderSteps: 2 })).images[0]
if (difference(/** @type {any} */ (halves).data, expected) !== 0) fault('prior and decode give another image')
await pipeline.dispose()
const worker = new Worker(fileURLToPath(new URL('../../test/support/worker.mjs', import.meta.url)), {
  workerData: {
    packageUrl: new URL('../../dist/index.js', import.meta.url).href,
    smallModel: MODEL,
    options: { ...quick, seed: 7, onStep: undefined },
    dispose: true
  }
})
for (;;) {
  const [message] = await once(worker, 'message')
  if (!(message instanceof Uint8Array)) continue
  if (difference(message, expected) !== 0) fault('a worker thread gives another image')
  break
}
await once(worker, 'exit')
console.log(
  `${RUNS} runs alone: ${hashes.size} image; 36 places in batches of 1 to 8: ${most} of 255; stream, halves and a worker compared`
)
console.log(`${faults.length} fail`)
process.exitCode = faults.length === 0 ? 0 : 1
