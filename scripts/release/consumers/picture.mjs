import { createHash } from 'node:crypto'
import sharp from 'sharp'

/**
 * SHA-256 of an image's pixels.
 * @param {string} file
 * @throws Error for what is no image, or one of a single colour
 */
export async function pixelsOf(file) {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const { channels } = await sharp(file).stats()
  if (Math.max(...channels.map(({ stdev }) => stdev)) < 5) throw new Error(`${file} has one colour`)
  return `${info.width}x${info.height}x${info.channels} ${createHash('sha256').update(data).digest('hex').slice(0, 16)}`
}
