// node bench/batches-process.mjs JSON: milliseconds of a step by size and by how many images share it, in this process.
// batches.mjs starts it. Every number of images has a turn in each run, so that what else the machine does hits all of them.
import { Pipeline } from '../dist/index.js'
import { median } from '../dist/bench/statistics.js'
/** @import { Size } from './requests.mjs' */

/** @typedef {{ model?: string, threads: number, sizes: Size[], batches: number[], runs: number, steps: number }} Ask */
/** Milliseconds, and of this process's CPU time. @typedef {{ wall: number, cpu: number }} Cost */
/**
 * Of one size and one number of images that share a run: a step of the whole batch, and Stage A for one image (`cpu` with what
 * Stage B does once an image).
 * @typedef {{ size: Size, images: number, prior: Cost, decoder: Cost, pixels: Cost }} Point
 */

const { model, threads, sizes, batches, runs, steps } = /** @type {Ask} */ (JSON.parse(process.argv[2] ?? ''))
const pipeline = await Pipeline.load(model, { device: 'cpu', dtype: 'float32', threads, maxBatch: Math.max(...batches) })
const prompt = 'a red cat on a blue background'

/**
 * What a step takes: a call of `steps` + 1 of them less one of 1, so that what a call does once is left out of `cpu`.
 * @param {(steps: number) => Promise<number>} call makes so many and says the milliseconds of all
 * @returns {Promise<Cost & { rest: number }>} `rest`: CPU time of a call less its steps
 */
async function costOf(call) {
  const first = process.cpuUsage()
  await call(1)
  const once = process.cpuUsage(first)
  const second = process.cpuUsage()
  const wall = await call(steps + 1)
  const all = process.cpuUsage(second)
  const [one, more] = [once, all].map(({ user, system }) => (user + system) / 1000)
  const cpu = ((more ?? NaN) - (one ?? NaN)) / steps
  return { wall: wall / (steps + 1), cpu, rest: (one ?? NaN) - cpu }
}

/** @param {Size} size @param {number} images @returns {Promise<Omit<Point, 'size' | 'images'>>} */
async function measure(size, images) {
  const seeds = Array.from({ length: images }, (_, index) => index)
  const embeddings = await pipeline.prior({ prompt, ...size, seeds, numImagesPerPrompt: images, priorSteps: 1 })
  const prior = await costOf(async priorSteps => {
    const before = pipeline.stats().stages.prior?.ms ?? 0
    ;(await pipeline.prior({ prompt, ...size, seeds, numImagesPerPrompt: images, priorSteps })).dispose()
    return (pipeline.stats().stages.prior?.ms ?? 0) - before
  })
  let pixels = NaN
  const decoder = await costOf(async decoderSteps => {
    const { timings } = await pipeline.decode(embeddings, { decoderSteps })
    pixels = timings.vqDecoder / images
    return timings.decoder
  })
  embeddings.dispose()
  return { prior, decoder, pixels: { wall: pixels, cpu: decoder.rest / images } }
}

for (const size of sizes) {
  /** @type {Map<number, Omit<Point, 'size' | 'images'>[]>} */
  const points = new Map(batches.map(images => [images, []]))
  for (let run = -1; run < runs; run++) {
    for (const images of batches) {
      const point = await measure(size, images)
      // The first run of a size counts for nothing: it compiles oneDNN's primitives.
      if (run >= 0) points.get(images)?.push(point)
    }
  }
  for (const [images, all] of points) {
    const middle = (/** @type {(point: Omit<Point, 'size' | 'images'>) => number} */ of) => median(all.map(of))
    const cost = (/** @type {'prior' | 'decoder' | 'pixels'} */ stage) => ({
      wall: middle(point => point[stage].wall),
      cpu: middle(point => point[stage].cpu)
    })
    console.log(JSON.stringify({ size, images, prior: cost('prior'), decoder: cost('decoder'), pixels: cost('pixels') }))
  }
}
await pipeline.dispose()
