// Modified pictures through the built package, for modify_score.py: node modify-jobs.mjs MODEL_DIR OUT_DIR < jobs.jsonl
// A job is {"id", "call": "reconstruct" | "vary" | "edit", "image", "options"}, the images and masks being files; or
// {"id", "call": "mix", "images": [from, to], "frames", "options"}. Pictures: OUT_DIR/id.png, of a mix id-0.png, id-1.png, …
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Embeddings, Pipeline } from '../../dist/index.js'

const AT_ONCE = 8 // calls that share a batch; a seed gives the same picture alone or in any batch

const [modelDir, outDir] = process.argv.slice(2)
const jobs = (await text(process.stdin))
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))
const pipeline = await Pipeline.load(modelDir)

async function run({ id, call, image, images, frames, options }) {
  const result = call === 'mix' ? await mix(images, frames, options) : await pipeline[call](image, options)
  const name = index => (call === 'mix' ? `${id}-${index}` : id)
  await Promise.all(result.images.map((picture, index) => picture.toFile(join(outDir, `${name(index)}.png`))))
}

async function mix([first, second], frames, { seed, ...options }) {
  const made = [await pipeline.encodeImage(first), await pipeline.encodeImage(second)]
  made.push(await Embeddings.interpolate(made[0], made[1], frames))
  try {
    return await pipeline.decode(made[2], { ...options, seeds: new Array(frames).fill(seed) })
  } finally {
    for (const embeddings of made) embeddings.dispose()
  }
}

try {
  for (let i = 0; i < jobs.length; i += AT_ONCE) await Promise.all(jobs.slice(i, i + AT_ONCE).map(run))
} finally {
  await pipeline.dispose()
}
