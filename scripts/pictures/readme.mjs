#!/usr/bin/env node
/** Makes the picture at the top of the README with the embedded model: `node scripts/pictures/readme.mjs [FILE] [PROMPT]...` */
import { join } from 'node:path'
import sharp from 'sharp'
import { Pipeline } from '../../dist/index.js'
import { root } from '../setup/paths.mjs'
import { PROMPTS } from './prompts.mjs'

const gap = 4
const [file = join(root, 'docs', 'pictures', 'readme.png'), ...given] = process.argv.slice(2)
const prompts = given.length > 0 ? given : PROMPTS

const pipeline = await Pipeline.load(join(root, 'models', 'tiny'))
const { images } = await pipeline.generate({ prompt: prompts, seed: 1 })
await pipeline.dispose()

const { width = 0, height = 0 } = images[0] ?? {}
const composite = images.map(({ data }, column) => ({
  input: Buffer.from(data),
  raw: { width, height, channels: /** @type {const} */ (3) },
  left: column * (width + gap),
  top: 0
}))
await sharp({ create: { width: images.length * (width + gap) - gap, height, channels: 3, background: 'white' } })
  .composite(composite)
  .png({ palette: true })
  .toFile(file)
console.log(file)
