#!/usr/bin/env node
/**
 * How far edits are from their originals by the grey of their mask: node scripts/checks/grey-masks.mjs [--model DIR]
 * Prints the root mean square over three images drawn by the model itself, of 255, and its share of what white does.
 */
import { parseArgs } from 'node:util'
import { Pipeline } from '../../dist/index.js'

const LEVELS = [255, 230, 204, 179, 153, 128, 102, 77, 51, 26, 0]
/** @type {[original: string, edited: string][]} */
const SUBJECTS = [
  ['a cat on a blue background', 'a dog on a white background'],
  ['a banana on a red background', 'an apple on a blue background'],
  ['a car on a green background', 'a rocket on a black background']
]

const { values } = parseArgs({ options: { model: { type: 'string' } } })
const pipeline = await Pipeline.load(values.model)
const { images: originals } = await pipeline.generate({ prompt: SUBJECTS.map(([prompt]) => prompt), seed: 1 })

/** @param {Uint8Array} a @param {Uint8Array} b */
const squares = (a, b) => a.reduce((sum, value, index) => sum + (value - /** @type {number} */ (b[index])) ** 2, 0)

/** @param {number} level */
async function distance(level) {
  const masks = originals.map(({ width, height }) => ({ width, height, data: new Uint8Array(width * height).fill(level) }))
  const { images } = await pipeline.edit(originals, {
    prompt: SUBJECTS.map(([, prompt]) => prompt),
    mask: masks,
    feather: 0,
    seed: 11
  })
  const sum = images.reduce((total, { data }, index) => total + squares(data, originals[index]?.data ?? data), 0)
  return Math.sqrt(sum / images.reduce((total, { data }) => total + data.length, 0))
}

let white = 0
for (const level of LEVELS) {
  // A mask that is all black is refused.
  const measured = level === 0 ? 0 : await distance(level)
  white ||= measured
  console.log(
    `${level}: ${measured.toFixed(1)}, ${((100 * measured) / white).toFixed(1)} % of white's; its share ${((100 * level) / 255).toFixed(1)} %`
  )
}
await pipeline.dispose()
