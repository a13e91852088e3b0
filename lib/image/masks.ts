import { WuerstchenError } from '../errors.js'
import type { CapturedImage } from './input.js'
import { readMask, type SourceMask } from './source.js'
import type { Sources } from './sources.js'
import { fitMask } from './fit.js'
import { blendMask } from './mask.js'

/** A mask at the size of the images: its bytes, and how much of the new image each pixel shows. */
export interface FittedMask {
  data: Uint8Array
  blend: Float32Array
  feather: number
  sha256: string
}

/**
 * One mask for each image, fitted like the image; none if the call has no mask.
 * @param feather undefined: 1/64 of the shorter side
 */
export async function readMasks(
  masks: readonly CapturedImage[],
  feather: number | undefined,
  { images, target }: Sources,
  signal: AbortSignal | undefined
): Promise<FittedMask[]> {
  if (masks.length === 0) return []
  const read: (SourceMask & { name: string })[] = []
  for (const captured of masks) read.push({ name: captured.name, ...(await readMask(captured)) })
  signal?.throwIfAborted()
  return Promise.all(
    images.map(async ({ pixels }, index) => {
      const mask = read[read.length === 1 ? 0 : index]!
      if (mask.width !== pixels.width || mask.height !== pixels.height) {
        throw new WuerstchenError(
          'INVALID_ARGUMENT',
          `Expected a mask of its image's size, ${pixels.width}×${pixels.height}, for ${mask.name} but received ${mask.width}×${mask.height}`,
          { subject: mask.name }
        )
      }
      const data = await fitMask(mask, target)
      if (data.every(value => value === 0)) {
        throw new WuerstchenError(
          'INVALID_ARGUMENT',
          `Expected a mask with something white, which is what changes, for ${mask.name} but all of it is black`,
          { subject: mask.name }
        )
      }
      const width = feather ?? Math.round(Math.min(target.width, target.height) / 64)
      return { data, blend: await blendMask(data, target.width, target.height, width), feather: width, sha256: mask.sha256 }
    })
  )
}
