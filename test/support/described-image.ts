import { GeneratedImage, type GenerationParameters } from '../../lib/index.js'

/** What the images of metadata tests were made with. */
export const PARAMETERS: GenerationParameters = {
  prompt: 'a photo of a cat',
  negativePrompt: 'blurry',
  width: 16,
  height: 8,
  seed: 42,
  priorTimesteps: [1, 0.5, 0.1 + 0.2, 0],
  priorGuidanceScale: 4,
  decoderTimesteps: [1, 1 / 3, 0],
  decoderGuidanceScale: 0,
  model: { name: 'small', hash: '0123456789abcdef'.repeat(4) },
  device: 'cpu',
  dtype: 'float32',
  versions: { wuerstchen: '0.1.0', torch: '2.13.0' },
  rng: 'torch-cpu'
}

/** Every byte value, so that a change of colour would show. */
export const data = Uint8Array.from({ length: 16 * 8 * 3 }, (_, index) => index % 256)

export const imageWith = (parameters: Partial<GenerationParameters> = {}) =>
  new GeneratedImage({ width: 16, height: 8, data }, { ...PARAMETERS, ...parameters })
