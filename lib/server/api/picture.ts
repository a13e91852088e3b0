import sharp from 'sharp'
import { INPUT_FORMATS, isAnimated, sniff } from '../../image/sniff.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { invalidField } from './error.js'

/** Refuses, by its first bytes and its header alone, what is no picture that may be decoded. */
export async function checkPicture(param: string, bytes: Buffer, model: ModelFacts, { maxInputPixels }: Limits): Promise<void> {
  if (!model.readsImages)
    throw invalidField('model', 'invalid_value', `Expected a model that can read pictures for model but ${model.name} cannot`)
  const refuse = (detail: string) =>
    invalidField(
      param,
      'invalid_image',
      `Expected a ${INPUT_FORMATS.join(', ')} still image of at most ${maxInputPixels} pixels for ${param} but ${detail}`
    )
  const format = sniff(bytes)
  if (format === undefined) throw refuse('its first bytes are those of something else')
  if (isAnimated(bytes, format)) throw refuse(`it is an animated ${format}`)
  const { width, height } = await sharp(bytes)
    .metadata()
    .catch(() => {
      throw refuse('its header cannot be read')
    })
  if (width * height > maxInputPixels) throw refuse(`it has ${width} × ${height}`)
}
