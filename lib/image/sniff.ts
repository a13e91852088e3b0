import { IMAGE_DATA, pngChunks, pngCode } from './png-chunks.js'

/** File formats that images are read from. Nothing else reaches a decoder. SVG and GIF are refused by their first bytes. */
export const INPUT_FORMATS = ['PNG', 'JPEG', 'WebP', 'AVIF'] as const
export type InputFormat = (typeof INPUT_FORMATS)[number]

const ascii = (bytes: Buffer, from: number, to: number) => bytes.toString('latin1', from, to)

/** The format that a file's first bytes name. The file's name is not considered. */
export function sniff(bytes: Buffer): InputFormat | undefined {
  if (ascii(bytes, 0, 8) === '\x89PNG\r\n\x1a\n') return 'PNG'
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'JPEG'
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'WebP'
  if (ascii(bytes, 4, 8) === 'ftyp' && brands(bytes).some(brand => brand === 'avif' || brand === 'avis')) return 'AVIF'
  return undefined
}

/**
 * What a file is that no image is read from, for a message about it. Formats that people do give to programs like this one are
 * named, and so are pages and pointers that a download left in the place of an image.
 */
export function otherFormat(bytes: Buffer): string {
  const name = OTHERS.find(([, matches]) => matches(bytes))?.[0]
  return name === undefined ? 'its first bytes are those of something else' : `it is ${name}`
}

const begins =
  (...starts: string[]) =>
  (bytes: Buffer) =>
    starts.some(start => ascii(bytes, 0, start.length) === start)
/** Texts may begin with a byte order mark, white space and comments. */
const beginsWithTag = (tag: RegExp) => (bytes: Buffer) => tag.test(bytes.toString('utf8', 0, 4096).replace(/<!--[^]*?-->/g, ''))
const hasBrand = (pattern: RegExp) => (bytes: Buffer) =>
  ascii(bytes, 4, 8) === 'ftyp' && brands(bytes).some(brand => pattern.test(brand))

const OTHERS: readonly (readonly [name: string, matches: (bytes: Buffer) => boolean])[] = [
  ['GIF', begins('GIF87a', 'GIF89a')],
  ['TIFF, or a raw image in it', begins('II*\0', 'MM\0*', 'II+\0', 'MM\0+')],
  ['BMP', bytes => begins('BM')(bytes) && bytes.length >= 26 && bytes.readUInt32LE(6) === 0],
  ['HEIC', hasBrand(/^(hei[cmsx]|hev[cmsx])$/)],
  ['HEIF', hasBrand(/^(mif1|msf1)$/)],
  ['JPEG XL', begins('\xff\x0a', '\0\0\0\x0cJXL \r\n\x87\n')],
  ['JPEG 2000', begins('\0\0\0\x0cjP  \r\n\x87\n', '\xff\x4f\xff\x51')],
  ['a video', bytes => hasBrand(/./)(bytes) || begins('\x1aE\xdf\xa3')(bytes)],
  ['an icon (ICO)', begins('\0\0\x01\0', '\0\0\x02\0')],
  ['PSD', begins('8BPS')],
  ['PDF', begins('%PDF-')],
  ['OpenEXR', begins('v/1\x01')],
  ['SVG', beginsWithTag(/^\ufeff?\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE svg[^>]*>\s*)?<(\w+:)?svg[\s>]/)],
  ['a web page', beginsWithTag(/^\ufeff?\s*<(!doctype\s+html|html)[\s>]/i)],
  ['a pointer of Git LFS, not the file itself', begins('version https://git-lfs.')]
]

/** Whether the file says that it is animated. Decoders would silently show the first frame. */
export function isAnimated(bytes: Buffer, format: InputFormat): boolean {
  switch (format) {
    case 'PNG':
      return isAnimatedPng(bytes)
    // Bit 1 of the extended header's flags (WebP container specification).
    case 'WebP':
      return ascii(bytes, 12, 16) === 'VP8X' && (bytes[20]! & 2) !== 0
    case 'AVIF':
      return brands(bytes)[0] === 'avis'
    case 'JPEG':
      return false
  }
}

/** Major brand and compatible brands of an ISO media file's first box; the four bytes between them are its minor version. */
function brands(bytes: Buffer): string[] {
  const end = Math.min(bytes.length, bytes.length < 8 ? 0 : bytes.readUInt32BE(0))
  const found = [ascii(bytes, 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) found.push(ascii(bytes, at, at + 4))
  return found
}

const ANIMATION = pngCode('acTL')

/** `acTL` must be before the image data (APNG specification). */
function isAnimatedPng(bytes: Buffer): boolean {
  for (const { code } of pngChunks(bytes)) {
    if (code === IMAGE_DATA) break
    if (code === ANIMATION) return true
  }
  return false
}
