import sharp, { type Metadata } from 'sharp'
import { invalid, WuerstchenError } from '../errors.js'
import { parseJson, type JsonBounds } from '../files/json.js'
import { blobOf, readBlob, type BlobLike } from '../options/blob.js'
import { fileBytesOf } from '../options/bytes.js'
import { exifBlock, userCommentIn } from './exif.js'
import { LARGEST_FILE, type ImageFormat } from './formats.js'
import { digestOf, jpegXmp, LARGEST_EXIF, LARGEST_XMP, withJpegMetadata } from './jpeg-segments.js'
import { toWebuiText, type GenerationParameters } from './parameters.js'
import { PARAMETERS } from './parameters-schema.js'
import { pngTexts, withPngText, XMP_KEYWORD } from './png-text.js'
import { sourceTypeOf } from './source-type.js'
import { withWebpMetadata } from './webp-chunks.js'
import { readXmp, xmpPacket } from './xmp.js'

/** Keywords of PNG text: ours, and the webui's. */
const KEYWORD = 'wuerstchen'
const TEXT_KEYWORD = 'parameters'

/** The most that a file records. Prompts take two fifths of it at most; the origins of mixed embeddings have no end. */
const MOST_JSON = 2 * 1024 * 1024

/** Enough for any list of noise levels, and for the parts of mixed embeddings. */
const BOUNDS: JsonBounds = { depth: 8, values: 200_000, items: 65_536 }

/** What is said of an image. */
interface Described {
  parameters: GenerationParameters
  width: number
  height: number
}

/**
 * Adds its parameters to an image file: all of them in XMP, in a PNG as text too, and the webui's text where other tools look
 * for it, which is PNG text or Exif's user comment.
 * @throws WuerstchenError INVALID_ARGUMENT for parameters that are too long
 */
export function withParameters(file: Buffer, format: ImageFormat, { parameters, width, height }: Described): Buffer {
  const json = plainJson(parameters)
  if (json.length > MOST_JSON) {
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected parameters of at most ${MOST_JSON} bytes for metadata but received ${json.length}. Leave the metadata out`,
      { subject: 'metadata' }
    )
  }
  // Zero bytes end texts for many readers, and half a surrogate pair is no text.
  const text = Buffer.from(toWebuiText(parameters).replaceAll('\0', '\u{fffd}')).toString()
  const sourceType = sourceTypeOf(parameters)
  const xmp = xmpPacket({ sourceType, json })
  switch (format) {
    case 'png':
      return withPngText(file, { [TEXT_KEYWORD]: text, [KEYWORD]: json, [XMP_KEYWORD]: xmp })
    case 'webp':
      return withWebpMetadata(file, { exif: exifBlock(text, { width, height }), xmp: Buffer.from(xmp), width, height })
    case 'jpeg':
      return withJpegMetadata(file, jpegMetadata(exifBlock(text, { width, height }), Buffer.from(xmp), { sourceType, json }))
  }
}

/**
 * The parameters that are too long for a segment are in an extended packet. A text that is too long for one is left out: XMP has
 * all of it.
 */
function jpegMetadata(exif: Buffer, xmp: Buffer, { sourceType, json }: { sourceType: string; json: string }) {
  const fitting = exif.length > LARGEST_EXIF ? undefined : exif
  if (xmp.length <= LARGEST_XMP) return { exif: fitting, xmp, extended: undefined }
  const extended = Buffer.from(xmpPacket({ json }))
  return { exif: fitting, xmp: Buffer.from(xmpPacket({ sourceType, extension: digestOf(extended) })), extended }
}

/**
 * The parameters in an image file's bytes; undefined if this package wrote none, or if none are left. `text` is the text in the
 * form of stable-diffusion-webui, which any program may have written.
 * @throws WuerstchenError INVALID_ARGUMENT for what is not an image, or parameters that are not sound
 */
export async function readParameters(file: Uint8Array | ArrayBuffer | BlobLike): Promise<{
  /** What this package recorded. */
  parameters: GenerationParameters | undefined
  /** The text in the form of stable-diffusion-webui. */
  text: string | undefined
}> {
  const [view, blob] = [fileBytesOf(file), blobOf('file', file)]
  if (view === undefined && blob === undefined) throw invalid('file', 'the bytes of an image file or a Blob', file)
  const bytes = view === undefined ? await readBlob('file', blob!, LARGEST_FILE) : Buffer.from(view)
  const metadata = await imageMetadata(bytes)
  const texts = metadata.format === 'png' ? pngTexts(bytes, [TEXT_KEYWORD, KEYWORD]) : {}
  const json = texts[KEYWORD] ?? (await jsonInXmp(bytes, metadata))
  const parameters = json === undefined ? undefined : parse(json)
  return { parameters, text: texts[TEXT_KEYWORD] ?? (parameters && toWebuiText(parameters)) ?? textInExif(metadata) }
}

async function jsonInXmp(bytes: Buffer, { format, xmp }: Metadata): Promise<string | undefined> {
  if (format !== 'jpeg') return xmp === undefined ? undefined : (await readXmp(xmp)).json
  const { xmp: packet, extended } = jpegXmp(bytes)
  const { json, extension = '' } = packet === undefined ? {} : await readXmp(packet)
  const rest = extended.get(extension)
  return json ?? (rest && (await readXmp(rest)).json)
}

/** Cameras and other programs write user comments too. The webui's text has the number of steps at the beginning of a line. */
function textInExif({ exif }: Metadata): string | undefined {
  const comment = exif === undefined ? undefined : userCommentIn(exif)
  return comment !== undefined && /^Steps: /m.test(comment) ? comment : undefined
}

async function imageMetadata(file: Buffer): Promise<Metadata> {
  try {
    return await sharp(file).metadata()
  } catch (error) {
    throw new WuerstchenError('INVALID_ARGUMENT', `Expected an image file but it cannot be read: ${(error as Error).message}`, {
      subject: 'file',
      cause: error
    })
  }
}

function parse(json: string): GenerationParameters {
  try {
    return PARAMETERS.parse(parseJson(json, BOUNDS)) as GenerationParameters
  } catch (error) {
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected sound generation parameters in the image file but they are not', {
      subject: 'file',
      cause: error
    })
  }
}

/**
 * JSON in ASCII, so that the encoding a reader assumes cannot change it, and without what XML escapes, so that it is the same in
 * XMP.
 */
function plainJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]|[&<>]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
