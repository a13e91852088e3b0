import sharp, { type Metadata, type Sharp } from 'sharp'
import { invalid, WuerstchenError } from '../errors.js'
import { kindOfArray, viewOf } from '../options/bytes.js'
import type { ImageFormat } from './formats.js'
import { toWebuiText, type GenerationParameters } from './parameters.js'
import { PARAMETERS } from './parameters-schema.js'
import { withPngText } from './png-text.js'

/** Keyword of our own PNG chunk, and name of the XMP property. */
const KEYWORD = 'wuerstchen'
const NAMESPACE = 'urn:wuerstchen:generation:1'

/** A JPEG segment holds 65,533 bytes. libvips silently drops longer ones. */
const LARGEST_JPEG_XMP = 65_000

/** Encodes an image with its parameters: as PNG text, else as XMP (exact) and an EXIF user comment (what other tools read). */
export async function encodeWithParameters(image: Sharp, format: ImageFormat, parameters: GenerationParameters): Promise<Buffer> {
  const json = asciiJson(parameters)
  const text = toWebuiText(parameters)
  if (format === 'png') return withPngText(await image.toBuffer(), { parameters: text, [KEYWORD]: json })
  const xmp = toXmp(json)
  if (format === 'jpeg' && xmp.length > LARGEST_JPEG_XMP) {
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected parameters of at most ${LARGEST_JPEG_XMP} bytes for a JPEG file but received ${xmp.length}. Write a PNG, or leave the metadata out`,
      { subject: 'metadata' }
    )
  }
  return image
    .withExif({ IFD2: { UserComment: text } })
    .withXmp(xmp)
    .toBuffer()
}

/**
 * The parameters in an image file's bytes; undefined if this package wrote none.
 * @throws WuerstchenError INVALID_ARGUMENT for what is not an image, or parameters that are not sound
 */
export async function readParameters(
  file: Uint8Array
): Promise<{ parameters: GenerationParameters | undefined; text: string | undefined }> {
  const bytes = kindOfArray(file) === 'Uint8Array' ? viewOf(file) : undefined
  if (bytes === undefined) throw invalid('file', 'the bytes of an image file', file)
  const { comments, xmpAsString } = await imageMetadata(Buffer.from(bytes))
  const chunk = (keyword: string) => comments?.find(comment => comment.keyword === keyword)?.text
  const json = chunk(KEYWORD) ?? fromXmp(xmpAsString ?? '')
  const parameters = json === undefined ? undefined : parse(json)
  return { parameters, text: chunk('parameters') ?? (parameters && toWebuiText(parameters)) }
}

async function imageMetadata(file: Uint8Array): Promise<Metadata> {
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
    return PARAMETERS.parse(JSON.parse(json)) as GenerationParameters
  } catch (error) {
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected sound generation parameters in the image file but they are not', {
      subject: 'file',
      cause: error
    })
  }
}

/** JSON in ASCII only, so that the encoding a reader assumes cannot change it. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function toXmp(json: string): string {
  const value = json.replace(/[&<>]/g, character => ESCAPES[character]!)
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:w="${NAMESPACE}"><w:${KEYWORD}>${value}</w:${KEYWORD}></rdf:Description></rdf:RDF></x:xmpmeta>`
  )
}

function fromXmp(xmp: string): string | undefined {
  if (!xmp.includes(NAMESPACE)) return undefined
  const value = new RegExp(`<w:${KEYWORD}>([^<]*)</w:${KEYWORD}>`).exec(xmp)?.[1]
  return value?.replace(/&(amp|lt|gt);/g, (_, name) => (name === 'amp' ? '&' : name === 'lt' ? '<' : '>'))
}
