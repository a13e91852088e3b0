import { WuerstchenError } from '../errors.js'
import { captureImage, type CapturedImage } from './input.js'
import { readMask, type SourceMask } from './source.js'
import { captureImages, type Sources } from './sources.js'
import { fitMask } from './fit.js'
import { blendMask } from './mask.js'

/** A mask at the size of the images: its bytes, and how much of the new image each pixel shows. */
export interface FittedMask {
  data: Uint8Array
  blend: Float32Array
  feather: number
  sha256: string
}

/** The word for a mask that is the image's own transparency. A file of that name is `./alpha`. */
const OWN = 'alpha'

/** A mask to read, or the word that its image has it in itself. */
export type CapturedMask = CapturedImage | { kind: 'own'; name: string }

/** The masks to read, copied from the call. */
export function captureMasks(name: string, value: unknown): CapturedMask[] {
  return captureImages<CapturedMask>(name, value, (item, each) =>
    each === OWN ? { kind: 'own', name: item } : captureImage(item, each)
  )
}

/** Whether the mask of the image at an index is its own transparency. One mask can serve all images. */
export function isOwnMask(masks: readonly CapturedMask[], index: number): boolean {
  return masks[masks.length === 1 ? 0 : index]?.kind === 'own'
}

/**
 * One mask for each image, fitted like the image; none if the call has no mask.
 * @param feather undefined: 1/64 of the shorter side
 */
export async function readMasks(
  masks: readonly CapturedMask[],
  feather: number | undefined,
  { images, target }: Sources,
  signal: AbortSignal | undefined
): Promise<FittedMask[]> {
  if (masks.length === 0) return []
  const read: (SourceMask | undefined)[] = []
  for (const captured of masks) read.push(captured.kind === 'own' ? undefined : await readMask(captured))
  signal?.throwIfAborted()
  return Promise.all(
    images.map(async ({ pixels, transparency }, index) => {
      const at = masks.length === 1 ? 0 : index
      const { name } = masks[at]!
      // An image whose mask is its own was read with its transparency.
      const mask = read[at] ?? transparency!
      if (mask.width !== pixels.width || mask.height !== pixels.height) {
        throw refuse(
          name,
          `a mask of its image's size, ${pixels.width}×${pixels.height},`,
          `received ${mask.width}×${mask.height}`
        )
      }
      const data = await fitMask(mask, target)
      if (data.every(value => value === 0)) {
        throw read[at] === undefined
          ? refuse(name, 'an image with transparency, which is what changes,', 'the image has none')
          : refuse(name, 'a mask with something white, which is what changes,', 'all of it is black')
      }
      const width = feather ?? Math.round(Math.min(target.width, target.height) / 64)
      return { data, blend: await blendMask(data, target.width, target.height, width), feather: width, sha256: mask.sha256 }
    })
  )
}

function refuse(name: string, expected: string, detail: string): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', `Expected ${expected} for ${name} but ${detail}`, { subject: name })
}
