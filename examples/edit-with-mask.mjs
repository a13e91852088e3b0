// Changes one part of an image. Every other pixel stays exactly the same.
import { Pipeline } from 'wuerstchen'

const pipeline = await Pipeline.load()
const {
  images: [original]
} = await pipeline.generate({ prompt: 'a cat on a blue background', seed: 1 })
if (original === undefined) throw new Error('Expected an image')
const { width, height } = original

// The mask is white where the image is changed: here a circle, as raw pixels. It could also be the path or the bytes of a PNG.
/** @param {number} x @param {number} y */
const inside = (x, y) => Math.hypot(x - width / 2, y - height / 2) < 0.45 * Math.min(width, height)
const mask = {
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, k) => (inside(k % width, Math.floor(k / width)) ? 255 : 0))
}

const {
  images: [edited]
} = await pipeline.edit(original, { prompt: 'a dog on a blue background', mask, seed: 2 })
if (edited === undefined) throw new Error('Expected an image')
await edited.toFile('edited.png')
const kept = mask.data.filter(
  (value, k) => value === 0 && [0, 1, 2].every(c => edited.data[3 * k + c] === original.data[3 * k + c])
)
console.log(
  `edited.png; ${kept.length} of ${mask.data.filter(value => value === 0).length} pixels outside the mask are the original's`
)
await pipeline.dispose()
