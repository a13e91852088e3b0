import { extname } from 'node:path'
import sharp from 'sharp'
import { invalid } from '../errors.js'
import { writeWhole } from '../files/write-file.js'
import { expectBoolean, expectInteger, expectOneOf, expectString, optional } from '../options/is.js'
import { knownOptions } from '../options/known.js'
import { expectSignal } from '../options/signal.js'
import type { NativePixels } from '../native.js'
import { encoderOptions, FORMAT_NAMES, FORMATS, type ImageFormat } from './formats.js'
import { withParameters } from './metadata.js'
import type { GenerationParameters } from './parameters.js'

/** How an image becomes the bytes of a file. */
export interface EncodeOptions {
  /** Write the generation parameters into the file, and that a model made it. Defaults to `true`. */
  metadata?: boolean
  /** 1–100, for JPEG and WebP. Defaults to 90. */
  quality?: number
}

/** How an image is written to a file. */
export interface FileOptions extends EncodeOptions {
  /** Defaults to the format of the file name's extension. */
  format?: ImageFormat
  /** Ends a write that has not ended, such as one that waits for a pipe's reader. Nothing is left then. */
  signal?: AbortSignal
}

const BY_EXTENSION: ReadonlyMap<string, ImageFormat> = new Map(
  FORMAT_NAMES.flatMap(name => FORMATS[name].extensions.map(extension => [extension, name] as const))
)

/** A finished image: RGB bytes, and the parameters that made them. */
export class GeneratedImage {
  readonly #brand = true
  /** Pixels. */
  readonly width: number
  /** Pixels. */
  readonly height: number
  /** RGB, row by row: width · height · 3 bytes. */
  readonly data: Uint8Array
  /** What made the image. Files record it. */
  readonly parameters: Readonly<GenerationParameters>

  /** @internal */
  constructor(pixels: NativePixels, parameters: GenerationParameters) {
    this.width = pixels.width
    this.height = pixels.height
    this.data = pixels.data
    this.parameters = Object.freeze(parameters)
  }

  /** The receiver of a method, which may have been borrowed for another object. */
  static #self(receiver: unknown): GeneratedImage {
    if (receiver !== null && typeof receiver === 'object' && #brand in receiver) return receiver
    throw invalid('this', 'a GeneratedImage', receiver)
  }

  /** The seed that was used. It was given or drawn. */
  get seed(): number {
    return GeneratedImage.#self(this).parameters.seed
  }

  /**
   * The image as the bytes of an image file.
   * @param format defaults to `png`
   * @throws WuerstchenError INVALID_ARGUMENT
   */
  async toBuffer(format: ImageFormat = 'png', options?: EncodeOptions): Promise<Buffer> {
    const self = GeneratedImage.#self(this)
    return self.#encode(expectOneOf('format', format, FORMAT_NAMES), knownOptions('toBuffer', options, ['metadata', 'quality']))
  }

  /**
   * Writes an image file. The format is `format`, else that of the extension.
   *
   * The file is whole or not there at all, and keeps mode and owner of the one before. Links are followed. A pipe or a device
   * gets the bytes; a pipe's reader is waited for. A file that cannot be replaced is overwritten in place.
   * @throws WuerstchenError INVALID_ARGUMENT for a path that cannot be written to, OUT_OF_MEMORY if the disk is full; the subject
   *   is the path. The signal's reason.
   */
  async toFile(path: string, options?: FileOptions): Promise<void> {
    const self = GeneratedImage.#self(this)
    const { format, signal, ...rest } = knownOptions('toFile', options, ['metadata', 'quality', 'format', 'signal'])
    expectString('path', path)
    const chosen = optional(format, value => expectOneOf('format', value, FORMAT_NAMES)) ?? formatOf(path)
    const until = optional(signal, value => expectSignal('signal', value))
    await writeWhole(path, await self.#encode(chosen, rest), { signal: until })
  }

  async #encode(format: ImageFormat, options: { metadata?: unknown; quality?: unknown }): Promise<Buffer> {
    const metadata = optional(options.metadata, value => expectBoolean('metadata', value)) ?? true
    const quality = optional(options.quality, value => expectInteger('quality', value, 1, 100)) ?? 90
    const file = await sharp(this.data, { raw: { width: this.width, height: this.height, channels: 3 } })
      .toFormat(format, encoderOptions(format, quality))
      .toBuffer()
    return metadata ? withParameters(file, format, this) : file
  }
}

/** The format that a file name asks for. */
export function formatOf(path: string): ImageFormat {
  const format = BY_EXTENSION.get(extname(path).toLowerCase())
  if (format === undefined) throw invalid('path', `a name ending in ${[...BY_EXTENSION.keys()].join(', ')}`, path)
  return format
}
