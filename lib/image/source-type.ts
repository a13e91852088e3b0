import type { GenerationParameters } from './parameters.js'

/** IPTC's list of kinds of digital sources, of which a program can tell that an image was made by a model. */
const KINDS = 'http://cv.iptc.org/newscodes/digitalsourcetype'

/** Made by a trained model, or made by one from a given image. */
export function sourceTypeOf({ input, mixedFrom }: GenerationParameters): string {
  const hasImage = input !== undefined || mixedFrom?.some(({ sha256 }) => sha256 !== undefined) === true
  return `${KINDS}/${hasImage ? 'compositeWithTrainedAlgorithmicMedia' : 'trainedAlgorithmicMedia'}`
}
