#!/usr/bin/env node
/**
 * Makes the picture strips of docs/modify.md: node scripts/pictures/modify.mjs [--model DIR] [--out docs/pictures]
 * The originals are drawn by the model itself, so that nothing else is needed; run it again whenever the model changes.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { Embeddings, Pipeline } from '../../dist/index.js'
import { root } from '../setup/paths.mjs'
/** @import { GeneratedImage, RawImage } from '../../dist/index.js' */

const GAP = 4
const STRENGTHS = [0, 0.25, 0.5, 0.75, 1]
const EDIT_STRENGTHS = [0, 0.1, 0.3, 0.6, 1]
/**
 * Prompts of the originals, and what they are edited to.
 * @type {[original: string, edited: string][]}
 */
const SUBJECTS = [
  ['a cat on a blue background', 'a dog on a blue background'],
  ['a banana on a red background', 'an apple on a red background'],
  ['a car on a green background', 'a rocket on a green background']
]

const { values } = parseArgs({ options: { model: { type: 'string' }, out: { type: 'string' } } })
const out = values.out ?? join(root, 'docs', 'pictures')
mkdirSync(out, { recursive: true })

/**
 * Rows of images of one size, on white.
 * @param {string} name
 * @param {Pick<GeneratedImage, 'data' | 'width' | 'height'>[][]} rows
 */
async function writeStrip(name, rows) {
  const { width = 0, height = 0 } = rows[0]?.[0] ?? {}
  const composite = rows.flatMap((row, y) =>
    row.map(({ data }, x) => ({
      input: Buffer.from(data),
      raw: { width, height, channels: /** @type {const} */ (3) },
      left: GAP + x * (width + GAP),
      top: GAP + y * (height + GAP)
    }))
  )
  const size = { width: (rows[0]?.length ?? 0) * (width + GAP) + GAP, height: rows.length * (height + GAP) + GAP }
  const file = join(out, `modify-${name}.png`)
  await sharp({ create: { ...size, channels: 3, background: '#ffffff' } })
    .composite(composite)
    .png({ palette: true, quality: 90 })
    .toFile(file)
  console.log(file)
}

/**
 * White over most of the image, where `edit` may draw.
 * @param {GeneratedImage} image
 * @returns {{ width: number, height: number, data: Uint8Array, channels: 1 }}
 */
function circle({ width, height }) {
  /** @param {number} x @param {number} y */
  const inside = (x, y) => Math.hypot(x - width / 2, y - height / 2) < 0.46 * Math.min(width, height)
  return {
    width,
    height,
    channels: 1,
    data: Uint8Array.from({ length: width * height }, (_, index) => (inside(index % width, Math.floor(index / width)) ? 255 : 0))
  }
}

const pipeline = await Pipeline.load(values.model)
try {
  const { images: originals } = await pipeline.generate({ prompt: SUBJECTS.map(([prompt]) => prompt), seed: 1 })
  const wanted = SUBJECTS.map(([, prompt]) => prompt)
  /** @param {Promise<{ images: GeneratedImage[] }>} call */
  const first = async call => {
    const [image] = (await call).images
    if (image === undefined) throw new Error('Expected an image')
    return image
  }

  const captions = SUBJECTS.map(([prompt]) => prompt)
  await writeStrip('reconstruct', [
    originals,
    ...(await Promise.all(
      ['', captions].map(async prompt => (await pipeline.reconstruct(originals, { prompt, seed: 2 })).images)
    ))
  ])
  await writeStrip(
    'vary',
    await Promise.all(
      originals.map(async image => [
        image,
        ...(await Promise.all(STRENGTHS.map(strength => first(pipeline.vary(image, { strength, seed: 3 })))))
      ])
    )
  )
  await writeStrip(
    'edit',
    await Promise.all(
      originals.map(async (image, index) => [
        image,
        ...(await Promise.all(
          EDIT_STRENGTHS.map(strength => first(pipeline.edit(image, { prompt: wanted[index] ?? '', strength, seed: 4 })))
        ))
      ])
    )
  )
  const masks = originals.map(circle)
  const { images: masked } = await pipeline.edit(originals, { prompt: wanted, mask: masks, seed: 5 })
  const shown = await Promise.all(
    masks.map(async ({ data, width, height }) => ({
      width,
      height,
      data: await sharp(data, { raw: { width, height, channels: 1 } })
        .toColourspace('srgb')
        .raw()
        .toBuffer()
    }))
  )
  await writeStrip('mask', [originals, shown, masked])

  const embeddings = []
  for (const image of originals) embeddings.push(await pipeline.encodeImage(image))
  const rows = []
  for (const [index, to] of embeddings.slice(1).entries()) {
    const path = await Embeddings.interpolate(/** @type {Embeddings} */ (embeddings[index]), to, 7)
    rows.push((await pipeline.decode(path, { seeds: new Array(7).fill(6) })).images)
    path.dispose()
  }
  for (const value of embeddings) value.dispose()
  await writeStrip('mix', rows)
} finally {
  await pipeline.dispose()
}
