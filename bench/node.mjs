// This package, prompt to PNG bytes. Started by compare.mjs, a process for each case; arguments and output as in peer.py, with
// `model` instead of `checkpoint`.
import { writeFile } from 'node:fs/promises'

/** @param {string} event @param {object} [facts] */
const say = (event, facts) => console.log(JSON.stringify({ event, ...facts }))
const { Pipeline } = await import('../dist/index.js')
say('imported')
/** @import { Common, Setting } from './cases.mjs' */
const given = /** @type {Common & Setting & { model: string, sampling: object, pixels: string }} */ (
  JSON.parse(String(process.argv[2]))
)
const { model, sampling, prompt, width, height, batch, threads, warmUp, runs, pixels } = given
const pipeline = await Pipeline.load(model, { threads, device: 'cpu', dtype: 'float32' })
say('loaded')
/** @type {{ generate: number[], total: number[] }} */
const times = { generate: [], total: [] }
for (let run = 0; run < warmUp + runs; run++) {
  const start = performance.now()
  const { images } = await pipeline.generate({
    prompt,
    seed: 0,
    width,
    height,
    numImagesPerPrompt: batch,
    priorGuidanceScale: 4,
    decoderSteps: 12,
    ...sampling
  })
  const generated = performance.now()
  await Promise.all(images.map(image => image.toBuffer('png')))
  times.total.push(performance.now() - start)
  times.generate.push(generated - start)
  if (run > 0) continue
  say('picture')
  await writeFile(pixels, Buffer.concat(images.map(({ data }) => data)))
}
const peakBytes = process.resourceUsage().maxRSS * 1024
const kinds = [...new Set(pipeline.artefacts.map(({ kind }) => kind))]
say('done', { times: { generate: times.generate.slice(warmUp), total: times.total.slice(warmUp) }, peakBytes, kinds })
await pipeline.dispose()
