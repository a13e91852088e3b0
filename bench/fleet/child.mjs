// An engine of its own process, which measures itself when it is told to. Started by calibrate.mjs.
import { Pipeline } from '../../dist/index.js'

/** @typedef {{ images: number, runs: number, sampling: Record<string, unknown> }} Ask */
/** Milliseconds of one call. @typedef {Record<'prior' | 'decoder' | 'pixels' | 'once' | 'total' | 'file', number>} Times */

const { model, threads, maxBatch } = JSON.parse(String(process.argv[2]))
const pipeline = await Pipeline.load(model, { threads, maxBatch, device: 'cpu', dtype: 'float32' })
process.once('disconnect', () => process.exit())
process.on('message', async message => {
  const { images, runs, sampling } = /** @type {Ask} */ (message)
  /** @type {Times[]} */
  const times = []
  for (let run = 0; run < runs; run++) {
    const began = performance.now()
    // As a worker does it: somebody hears of every step.
    const result = await pipeline.generate({
      prompt: 'a red house by the sea',
      seed: run,
      numImagesPerPrompt: images,
      ...sampling,
      onStep: () => {}
    })
    const total = performance.now() - began
    await Promise.all(result.images.map(image => image.toBuffer('png')))
    const { prior, decoder, vqDecoder } = result.timings
    const once = total - prior - decoder - vqDecoder
    times.push({ prior, decoder, pixels: vqDecoder / images, once, total, file: performance.now() - began - total })
  }
  process.send?.(times)
})
process.send?.('ready')
