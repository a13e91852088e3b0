import sharp from 'sharp'
import { WuerstchenError } from '../../errors.js'
import type { Mask } from '../jobs/work.js'

/** The mask as the library takes it: white where to change. */
export async function whiteMask({ file, changes }: Mask): Promise<Buffer> {
  if (changes === 'white') return file
  try {
    const { hasAlpha } = await sharp(file).metadata()
    if (hasAlpha)
      return await sharp(file, { failOn: 'error' })
        .autoOrient()
        .extractChannel('alpha')
        .negate()
        .png({ compressionLevel: 1 })
        .toBuffer()
  } catch (error) {
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected an image file for mask but it cannot be decoded', {
      subject: 'mask',
      cause: error
    })
  }
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    'Expected a picture with transparency, which is what changes, for mask but it has none. With mask_changes "white" what is white changes',
    { subject: 'mask' }
  )
}
