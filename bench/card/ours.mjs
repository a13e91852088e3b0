// This package, a call for each batch size. Started by bench/card.mjs; arguments and output as in peer.py, with `model` instead
// of `checkpoint`.
import { writeFile } from 'node:fs/promises'
import { Pipeline } from '../../dist/index.js'
/** @import { Call } from '../card.mjs' */

const given = /** @type {Call & { model: string, kind: string }} */ (JSON.parse(String(process.argv[2])))
const { model, kind, device, dtype, prompt, width, height, batchSizes, warmUp, runs, pixels } = given
const pipeline = await Pipeline.load(model, { device, dtype, maxBatch: Math.max(...batchSizes) })
const kinds = pipeline.artefacts.filter(({ stage }) => ['prior', 'decoder', 'vqDecoder'].includes(stage)).map(({ kind }) => kind)
if (kinds.some(each => each !== kind)) throw new Error(`Expected every network to run as ${kind} but ${kinds.join()} was chosen`)
for (const batch of batchSizes) {
  const seconds = []
  for (let run = 0; run < warmUp + runs; run++) {
    const start = performance.now()
    const { images } = await pipeline.generate({
      prompt,
      seed: 0,
      width,
      height,
      numImagesPerPrompt: batch,
      priorGuidanceScale: 4,
      decoderSteps: 12
    })
    seconds.push((performance.now() - start) / 1000)
    if (run === 0 && batch === batchSizes[0]) await writeFile(pixels, images[0]?.data ?? new Uint8Array())
  }
  console.log(JSON.stringify({ event: 'batch', batch, seconds: seconds.slice(warmUp) }))
}
await pipeline.dispose()
