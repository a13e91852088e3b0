// Pictures through the built package, for score.py: node generate.mjs MODEL_DIR OUT_DIR < jobs.jsonl
// A job is {"id", "prompt", "seed", "width", "height"} or, to reconstruct a picture, {"id", "image", "prompt", "seed"}.
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Pipeline } from '../../dist/index.js'

const AT_ONCE = 16 // calls that share a batch; a seed gives the same picture alone or in any batch

const [modelDir, outDir] = process.argv.slice(2)
const jobs = (await text(process.stdin))
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))
const pipeline = await Pipeline.load(modelDir)

async function run({ id, image, ...options }) {
  const { images } = image === undefined ? await pipeline.generate(options) : await pipeline.reconstruct(image, options)
  await images[0].toFile(join(outDir, `${id}.png`))
}

try {
  for (let i = 0; i < jobs.length; i += AT_ONCE) await Promise.all(jobs.slice(i, i + AT_ONCE).map(run))
} finally {
  await pipeline.dispose()
}
