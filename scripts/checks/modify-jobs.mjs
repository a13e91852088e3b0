// Modified images through the built package, for modify_score.py: node modify-jobs.mjs MODEL_DIR OUT_DIR < jobs.jsonl
// Images and masks are files. What a job makes is OUT_DIR/id.png, of a mix id-0.png, id-1.png, …
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Embeddings, Pipeline } from '../../dist/index.js'
/** @import { EditOptions } from '../../dist/index.js' */

const AT_ONCE = 8 // calls that share a batch; a seed gives the same picture alone or in any batch

/**
 * @typedef {{ id: string, call: 'reconstruct' | 'vary' | 'edit', image: string, options: EditOptions }} Modification
 * @typedef {{ id: string, call: 'mix', images: [from: string, to: string], frames: number, options: { seed: number } }} Mix
 */

const [modelDir, outDir] = process.argv.slice(2)
if (outDir === undefined) throw new Error('Expected MODEL_DIR and OUT_DIR')
/** @type {(Modification | Mix)[]} */
const jobs = (await text(process.stdin))
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))
const pipeline = await Pipeline.load(modelDir)

/** @param {Modification | Mix} job */
async function run(job) {
  const { images } = job.call === 'mix' ? await mix(job) : await pipeline[job.call](job.image, job.options)
  /** @param {number} index */
  const name = index => (job.call === 'mix' ? `${job.id}-${index}` : job.id)
  await Promise.all(images.map((image, index) => image.toFile(join(String(outDir), `${name(index)}.png`))))
}

/** @param {Mix} job */
async function mix({ images, frames, options: { seed, ...options } }) {
  const [from, to] = [await pipeline.encodeImage(images[0]), await pipeline.encodeImage(images[1])]
  const path = await Embeddings.interpolate(from, to, frames)
  try {
    return await pipeline.decode(path, { ...options, seeds: new Array(frames).fill(seed) })
  } finally {
    for (const embeddings of [from, to, path]) embeddings.dispose()
  }
}

try {
  for (let i = 0; i < jobs.length; i += AT_ONCE) await Promise.all(jobs.slice(i, i + AT_ONCE).map(run))
} finally {
  await pipeline.dispose()
}
