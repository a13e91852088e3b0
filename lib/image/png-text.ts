import { crc32, inflateSync } from 'node:zlib'
import { pngChunks, pngCode } from './png-chunks.js'
import { byteText } from './text-bytes.js'

/** Signature (8) and IHDR (4 length, 4 name, 13 data, 4 checksum): text may follow directly, before the image data. */
const HEADER = 8 + 25

/** The keyword of XMP in a PNG (XMP specification, part 3). It is always `iTXt`. */
export const XMP_KEYWORD = 'XML:com.adobe.xmp'

/** The most of a text that is read. A compressed one may be a thousand times as long as its chunk. */
const LONGEST = 32 * 1024 * 1024

/**
 * Adds text chunks to a PNG behind its header. libvips reads such chunks but cannot write them, and libraries that can write
 * them know only Latin-1. ASCII goes into `tEXt`, which every reader knows, other text into `iTXt` (UTF-8), as Pillow and the
 * webui do. `tEXt` is Latin-1, but some readers take it for UTF-8, so it is used for ASCII alone.
 */
export function withPngText(png: Buffer, texts: Readonly<Record<string, string>>): Buffer {
  const chunks = Object.entries(texts).map(([keyword, text]) =>
    keyword !== XMP_KEYWORD && isAscii(text)
      ? chunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1'))
      : // The keyword is followed by: not compressed, method 0, no language, no translated keyword.
        chunk('iTXt', Buffer.from(`${keyword}\0\0\0\0\0${text}`, 'utf8'))
  )
  return Buffer.concat([png.subarray(0, HEADER), ...chunks, png.subarray(HEADER)])
}

/** Length, name, data, checksum of name and data (PNG specification, section 5.3). */
function chunk(name: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4)
  const checksum = Buffer.alloc(4)
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}

/** Printable ASCII and line feeds; a zero byte would end a keyword. */
function isAscii(text: string): boolean {
  return /^[\n\x20-\x7e]*$/.test(text)
}

/**
 * The texts of a PNG by keyword: `tEXt`, `zTXt` and `iTXt`, compressed or not, before and after the image data. Of a keyword
 * that occurs more than once, the first. libvips reads them too, but takes Latin-1 for UTF-8.
 */
export function pngTexts(png: Buffer, keywords: readonly string[]): Partial<Record<string, string>> {
  const texts: Partial<Record<string, string>> = {}
  for (const { code, from, to } of pngChunks(png)) {
    const data = png.subarray(from, to)
    const end = data.indexOf(0)
    const keyword = data.toString('latin1', 0, Math.max(end, 0))
    if (keywords.includes(keyword)) texts[keyword] ??= textOf(code, data.subarray(end + 1))
  }
  return texts
}

const [TEXT, COMPRESSED_TEXT, INTERNATIONAL_TEXT] = ['tEXt', 'zTXt', 'iTXt'].map(pngCode)

/** @param data what stands behind the keyword */
function textOf(code: number, data: Buffer): string | undefined {
  try {
    if (code === TEXT) return byteText(data)
    // The method of compression is always 0.
    if (code === COMPRESSED_TEXT) return byteText(inflateSync(data.subarray(1), { maxOutputLength: LONGEST }))
    if (code !== INTERNATIONAL_TEXT) return undefined
    // Two bytes of compression, then two texts that end in 0: the language and the translated keyword.
    const text = data.subarray(data.indexOf(0, data.indexOf(0, 2) + 1) + 1)
    return (data[0] === 1 ? inflateSync(text, { maxOutputLength: LONGEST }) : text).toString('utf8')
  } catch {
    // A damaged text is as good as none.
    return undefined
  }
}
