import { crc32 } from 'node:zlib'

/** Signature (8) and IHDR (4 length, 4 name, 13 data, 4 checksum): text may follow directly, before the image data. */
const HEADER = 8 + 25

/**
 * Adds text chunks to a PNG behind its header. libvips reads such chunks but cannot write them, and libraries that can write them
 * know only Latin-1. ASCII goes into `tEXt`, which every reader knows, other text into `iTXt` (UTF-8), as Pillow and the webui
 * do.
 */
export function withPngText(png: Buffer, texts: Readonly<Record<string, string>>): Buffer {
  const chunks = Object.entries(texts).map(([keyword, text]) =>
    isAscii(text)
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
