// Images through the built package, for score.py: node generate.mjs MODEL_DIR OUT_DIR < jobs.jsonl
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Pipeline } from '../../dist/index.js'
/** @import { GenerateOptions, ReconstructOptions } from '../../dist/index.js' */

const AT_ONCE = 16 // calls that share a batch; a seed gives the same picture alone or in any batch

/**
 * `image` is the file of an image to reconstruct.
 * @typedef {{ id: string, image: string } & ReconstructOptions} Reconstruction
 * @typedef {{ id: string, image?: undefined } & GenerateOptions} Generation
 */

const [modelDir, outDir] = process.argv.slice(2)
if (outDir === undefined) throw new Error('Expected MODEL_DIR and OUT_DIR')
/** @type {(Generation | Reconstruction)[]} */
const jobs = (await text(process.stdin))
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))
const pipeline = await Pipeline.load(modelDir)

/** @param {Generation | Reconstruction} job */
async function run(job) {
  const { images } = await (job.image === undefined ? generate(job) : reconstruct(job))
  await images[0]?.toFile(join(String(outDir), `${job.id}.png`))
}

/** @param {Generation} job */
function generate({ id: _id, image: _image, ...options }) {
  return pipeline.generate(options)
}

/** @param {Reconstruction} job */
function reconstruct({ id: _id, image, ...options }) {
  return pipeline.reconstruct(image, options)
}

try {
  for (let i = 0; i < jobs.length; i += AT_ONCE) await Promise.all(jobs.slice(i, i + AT_ONCE).map(run))
} finally {
  await pipeline.dispose()
}
