// node bench/mixed-sizes-process.mjs JSON: serves requests of several sizes in this process. mixed-sizes.mjs starts it.
import { Pipeline } from '../dist/index.js'
import { serve, workload } from './requests.mjs'
/** @import { Served, Size } from './requests.mjs' */

/**
 * `mean`: milliseconds between two arrivals.
 * @typedef {{ model?: string, threads: number, maxBatch?: number } & Work} Ask
 * @typedef {{ sizes: Size[], requests: number, mean: number, seed: number }} Work
 */
/** `alone`: milliseconds of one request of mean steps in the first size; `shared`: images in a run, on average. */
/** @typedef {Served & { alone: number, shared: number }} Outcome */

const { model, threads, maxBatch, sizes, ...asked } = /** @type {Ask} */ (JSON.parse(process.argv[2] ?? ''))
const pipeline = await Pipeline.load(model, { device: 'cpu', threads, ...(maxBatch === undefined ? {} : { maxBatch }) })
const prompt = 'a red cat on a blue background'
for (const size of sizes)
  for (const numImagesPerPrompt of [1, 2, 4])
    await pipeline.generate({ prompt, ...size, numImagesPerPrompt, priorSteps: 2, decoderSteps: 2 })
const started = performance.now()
await pipeline.generate({ prompt, ...sizes[0], priorSteps: 25, decoderSteps: 11 })
const alone = performance.now() - started
const before = pipeline.stats().batchSizes
const served = await serve(workload(asked.seed, { ...asked, sizes }), call => pipeline.generate(call))
const runs = Object.entries(pipeline.stats().batchSizes).map(([images, count]) => ({
  images: Number(images),
  count: count - (before[images] ?? 0)
}))
const shared = runs.reduce((sum, { images, count }) => sum + images * count, 0) / runs.reduce((sum, { count }) => sum + count, 0)
console.log(JSON.stringify({ ...served, alone, shared }))
await pipeline.dispose()
