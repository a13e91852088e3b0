import { createHash } from 'node:crypto'

const APP0 = 0xe0
const APP1 = 0xe1

/** What the bytes of an APP1 segment begin with, by what follows (Exif 2.32; XMP specification, part 3). */
const EXIF = 'Exif\0\0'
const XMP = 'http://ns.adobe.com/xap/1.0/\0'
const EXTENSION = 'http://ns.adobe.com/xmp/extension/\0'

/** A segment holds 65,533 bytes beside its length. */
export const LARGEST_EXIF = 65_533 - EXIF.length
export const LARGEST_XMP = 65_533 - XMP.length
/** Parts of an extended packet have their digest, the whole length and their own place in front of them. */
const PREFIX = EXTENSION.length + 32 + 4 + 4
const LARGEST_PART = 65_533 - PREFIX

/** What a JPEG says beside its pixels. An extended packet is one that is too large for a segment, and `xmp` names its digest. */
interface JpegMetadata {
  exif: Buffer | undefined
  xmp: Buffer
  extended: Buffer | undefined
}

/**
 * Adds metadata to a JPEG, behind the JFIF segment that libjpeg begins with. libvips drops XMP that is too large for a segment.
 */
export function withJpegMetadata(jpeg: Buffer, { exif, xmp, extended }: JpegMetadata): Buffer {
  const start = jpeg[2] === 0xff && jpeg[3] === APP0 ? 4 + jpeg.readUInt16BE(4) : 2
  return Buffer.concat([
    jpeg.subarray(0, start),
    ...(exif === undefined ? [] : [segment(EXIF, exif)]),
    segment(XMP, xmp),
    ...(extended === undefined ? [] : parts(extended)),
    jpeg.subarray(start)
  ])
}

function segment(kind: string, data: Buffer): Buffer {
  const head = Buffer.from([0xff, APP1, 0, 0])
  head.writeUInt16BE(2 + kind.length + data.length, 2)
  return Buffer.concat([head, Buffer.from(kind, 'latin1'), data])
}

function parts(packet: Buffer): Buffer[] {
  const digest = digestOf(packet)
  return Array.from({ length: Math.ceil(packet.length / LARGEST_PART) }, (_, index) => {
    const place = Buffer.alloc(8)
    place.writeUInt32BE(packet.length)
    place.writeUInt32BE(index * LARGEST_PART, 4)
    const part = packet.subarray(index * LARGEST_PART, (index + 1) * LARGEST_PART)
    return segment(EXTENSION, Buffer.concat([Buffer.from(digest, 'latin1'), place, part]))
  })
}

/** By which a packet names its extension. */
export function digestOf(packet: Buffer): string {
  return createHash('md5').update(packet).digest('hex').toUpperCase()
}

/** The XMP packet of a JPEG, and the extended ones, whole, by their digest. */
export function jpegXmp(jpeg: Buffer): { xmp: Buffer | undefined; extended: ReadonlyMap<string, Buffer> } {
  let xmp: Buffer | undefined
  const found = new Map<string, { length: number; parts: Buffer[] }>()
  for (const data of app1Segments(jpeg)) {
    if (data.toString('latin1', 0, XMP.length) === XMP) xmp ??= data.subarray(XMP.length)
    if (data.length <= PREFIX || data.toString('latin1', 0, EXTENSION.length) !== EXTENSION) continue
    const digest = data.toString('latin1', EXTENSION.length, EXTENSION.length + 32)
    const packet = found.get(digest) ?? { length: data.readUInt32BE(PREFIX - 8), parts: [] }
    packet.parts.push(data.subarray(PREFIX - 4))
    found.set(digest, packet)
  }
  const whole = [...found].map(([digest, { length, parts }]) => [digest, joined(parts, length)] as const)
  return { xmp, extended: new Map(whole.filter((each): each is [string, Buffer] => each[1] !== undefined)) }
}

/** @param parts each with its place in front of it; they may come in any order */
function joined(parts: readonly Buffer[], length: number): Buffer | undefined {
  const inOrder = parts.toSorted((a, b) => a.readUInt32BE(0) - b.readUInt32BE(0))
  let end = 0
  for (const part of inOrder) {
    if (part.readUInt32BE(0) !== end) return undefined
    end += part.length - 4
  }
  return end === length ? Buffer.concat(inOrder.map(part => part.subarray(4))) : undefined
}

/** The APP1 segments before the image data. */
function app1Segments(jpeg: Buffer): Buffer[] {
  const segments: Buffer[] = []
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff; ) {
    const marker = jpeg[at + 1]!
    // Any number of fill bytes may stand before a marker.
    if (marker === 0xff) {
      at += 1
      continue
    }
    // The image data begins, or the file ends.
    if (marker === 0xda || marker === 0xd9) break
    const end = at + 2 + jpeg.readUInt16BE(at + 2)
    if (marker === APP1) segments.push(jpeg.subarray(at + 4, end))
    at = end
  }
  return segments
}
