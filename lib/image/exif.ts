import { byteText, withoutPadding } from './text-bytes.js'

/**
 * The Exif block of a file: a TIFF directory with the user comment that holds the text (Exif 2.32; TIFF 6.0). libvips writes
 * comments in ASCII only, so the block is made here.
 */

/** Types of TIFF fields, with the bytes that a value of each takes. */
const TYPES = { short: [3, 2], long: [4, 4], rational: [5, 8], undefined: [7, 1] } as const
type Type = keyof typeof TYPES
type Field = readonly [tag: number, type: Type, value: number | Buffer]

const EXIF_DIRECTORY = 0x8769
const USER_COMMENT = 0x9286

/** What the first 8 bytes of a user comment say of the rest. */
const UNICODE = Buffer.from('UNICODE\0', 'latin1')

/**
 * A block with a user comment, and with the fields that Exif requires of every file. It is big-endian, and so is the comment:
 * readers go by the block's byte order (exiv2) or always take UTF-16 for big-endian (the webui), and so both are right.
 */
export function exifBlock(text: string, { width, height }: { width: number; height: number }): Buffer {
  const comment = Buffer.concat([UNICODE, Buffer.from(text, 'utf16le').swap16()])
  const details: Field[] = [
    [0x9000, 'undefined', Buffer.from('0232')], // the version of Exif
    [0x9101, 'undefined', Buffer.from([1, 2, 3, 0])], // the components are Y, Cb, Cr
    [USER_COMMENT, 'undefined', comment],
    [0xa000, 'undefined', Buffer.from('0100')], // the version of Flashpix
    [0xa001, 'short', 1], // the colour space is sRGB
    [0xa002, 'long', width],
    [0xa003, 'long', height]
  ]
  const image = (at: number): Field[] => [
    [0x011a, 'rational', 72],
    [0x011b, 'rational', 72],
    [0x0128, 'short', 2], // in dots an inch
    [0x0213, 'short', 1], // chroma is in the middle of its pixels
    [EXIF_DIRECTORY, 'long', at]
  ]
  const first = 8
  const second = first + directory(image(0), first).length
  return Buffer.concat([Buffer.from('MM\0\x2a\0\0\0\x08', 'latin1'), directory(image(second), first), directory(details, second)])
}

/**
 * A directory for the place `at` of a block: the fields, then the values that are longer than 4 bytes. Fields are in order of
 * their tags.
 */
function directory(fields: readonly Field[], at: number): Buffer {
  const table = Buffer.alloc(2 + 12 * fields.length + 4)
  table.writeUInt16BE(fields.length)
  const values: Buffer[] = []
  let end = at + table.length
  fields.forEach(([tag, type, value], index) => {
    const bytes = valueBytes(type, value)
    const entry = 2 + 12 * index
    const [code, size] = TYPES[type]
    table.writeUInt16BE(tag, entry)
    table.writeUInt16BE(code, entry + 2)
    table.writeUInt32BE(bytes.length / size, entry + 4)
    if (bytes.length <= 4) bytes.copy(table, entry + 8)
    else {
      table.writeUInt32BE(end, entry + 8)
      // Values begin at even places.
      const padded = Buffer.alloc(bytes.length + (bytes.length % 2))
      bytes.copy(padded)
      values.push(padded)
      end += padded.length
    }
  })
  return Buffer.concat([table, ...values])
}

function valueBytes(type: Type, value: number | Buffer): Buffer {
  if (typeof value !== 'number') return value
  const bytes = Buffer.alloc(TYPES[type][1])
  if (type === 'short') bytes.writeUInt16BE(value)
  else bytes.writeUInt32BE(value)
  if (type === 'rational') bytes.writeUInt32BE(1, 4)
  return bytes
}

/** The user comment of an Exif block, as any program may have written it; undefined if there is none that can be read. */
export function userCommentIn(block: Buffer): string | undefined {
  // JPEG files have this in front of the block, and some writers of WebP too.
  const tiff = block.toString('latin1', 0, 6) === 'Exif\0\0' ? block.subarray(6) : block
  const order = tiff.toString('latin1', 0, 2)
  if (order !== 'MM' && order !== 'II') return undefined
  const isBig = order === 'MM'
  const short = (at: number) => (isBig ? tiff.readUInt16BE(at) : tiff.readUInt16LE(at))
  const long = (at: number) => (isBig ? tiff.readUInt32BE(at) : tiff.readUInt32LE(at))
  const find = (at: number, tag: number) => {
    const entries = Array.from({ length: short(at) }, (_, index) => at + 2 + 12 * index)
    return entries.find(entry => short(entry) === tag)
  }
  try {
    const pointer = find(long(4), EXIF_DIRECTORY)
    const entry = pointer && find(long(pointer + 8), USER_COMMENT)
    if (entry === undefined) return undefined
    const [length, at] = [long(entry + 4), long(entry + 8)]
    return length <= 8 || at + length > tiff.length ? undefined : commentText(tiff.subarray(at, at + length), isBig)
  } catch (error) {
    // A directory that ends behind the block.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function commentText(comment: Buffer, isBig: boolean): string | undefined {
  const code = withoutPadding(comment.toString('latin1', 0, 8))
  const bytes = comment.subarray(8)
  const text = code === 'UNICODE' ? utf16Text(bytes, isBig) : code === 'ASCII' || code === '' ? byteText(bytes) : undefined
  return text === undefined ? undefined : withoutPadding(text)
}

/**
 * Exif says nothing of the byte order of UTF-16, and programs disagree. Texts of every script have spaces and digits, whose
 * upper byte is 0. So the order that makes more of these is right, and the block's own if that decides nothing. Without any zero
 * byte it is no UTF-16: some programs write UTF-8 in its place.
 */
function utf16Text(bytes: Buffer, isBig: boolean): string {
  if (!bytes.includes(0)) return byteText(bytes)
  let surplus = 0
  for (let at = 0; at + 1 < bytes.length; at += 2) surplus += Number(bytes[at] === 0) - Number(bytes[at + 1] === 0)
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0)
  const order = mark === 0xfeff ? true : mark === 0xfffe ? false : surplus === 0 ? isBig : surplus > 0
  return new TextDecoder(order ? 'utf-16be' : 'utf-16le').decode(bytes)
}
