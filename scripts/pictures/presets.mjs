#!/usr/bin/env node
/**
 * Makes the picture of docs/samplers.md: eight prompts in each preset of the embedded model, a row a preset. Prints how near the
 * rows that add no noise come to the converged image: `node scripts/pictures/presets.mjs [FILE]`
 */
import { join } from 'node:path'
import sharp from 'sharp'
import { Pipeline } from '../../dist/index.js'
import { root } from '../setup/paths.mjs'
import { PROMPTS } from './prompts.mjs'
/** @import { GeneratedImage } from '../../dist/index.js' */

const side = 128
const gap = 4
const [file = join(root, 'docs', 'pictures', 'presets.png')] = process.argv.slice(2)
const solver = /** @type {const} */ ({ priorSampler: 'dpm-solver++', decoderSampler: 'dpm-solver++' })

/**
 * Peak signal-to-noise ratio in dB, the median of the images.
 * @param {GeneratedImage[]} images @param {GeneratedImage[]} others
 */
function psnr(images, others) {
  const each = images.map(({ data }, index) => {
    const other = others[index]?.data ?? data
    const squares = data.reduce((sum, value, at) => sum + (value - (other[at] ?? 0)) ** 2, 0)
    return 10 * Math.log10(255 ** 2 / (squares / data.length))
  })
  const sorted = each.sort((a, b) => a - b)
  return ((sorted[3] ?? 0) + (sorted[4] ?? 0)) / 2
}

const pipeline = await Pipeline.load(join(root, 'models', 'tiny'))
const converged = await pipeline.generate({ prompt: PROMPTS, seed: 1, ...solver, priorSteps: 100, decoderSteps: 60 })
const rows = []
for (const preset of /** @type {const} */ (['reference', 'balanced', 'fast'])) {
  const { images } = await pipeline.generate({ prompt: PROMPTS, seed: 1, preset })
  rows.push(images)
  if (preset !== 'reference') console.log(`${preset}: ${psnr(images, converged.images).toFixed(1)} dB from the converged image`)
}
await pipeline.dispose()

const composite = await Promise.all(
  rows.flatMap((images, row) =>
    images.map(async ({ data, width, height }, column) => ({
      input: await sharp(data, { raw: { width, height, channels: 3 } })
        .resize(side, side)
        .png()
        .toBuffer(),
      left: column * (side + gap),
      top: row * (side + gap)
    }))
  )
)
const size = { width: PROMPTS.length * (side + gap) - gap, height: rows.length * (side + gap) - gap }
await sharp({ create: { ...size, channels: 3, background: 'white' } })
  .composite(composite)
  .png({ palette: true })
  .toFile(file)
console.log(file)
