import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { pick } from './raw.js'

const MIB = 1024 * 1024

/** A PNG chunk whose checksum is right: what reads it must not be saved by that. */
function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

const MAGIC = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const END = chunk('IEND', Buffer.alloc(0))

function header(width: number, height: number, depth = 8, colour = 2, interlace = 0): Buffer {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(width >>> 0)
  data.writeUInt32BE(height >>> 0, 4)
  data.set([depth, colour, 0, 0, interlace], 8)
  return chunk('IHDR', data)
}

/** Rows of zeros compress to next to nothing. */
const png = (width: number, height: number, ...between: Buffer[]) =>
  Buffer.concat([
    MAGIC,
    header(width, height),
    ...between,
    chunk('IDAT', deflateSync(Buffer.alloc(Math.min(height * (1 + 3 * width), 8 * MIB)))),
    END
  ])
const named = (name: string, bytes: number) =>
  Buffer.concat([Buffer.from(`${name}\0\0`, 'latin1'), deflateSync(Buffer.alloc(bytes))])
const solid = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#123456' } })

async function jpegOf(width: number, height: number): Promise<Buffer> {
  const bytes = await solid(64, 64).jpeg().toBuffer()
  const frame = bytes.findIndex((byte, index) => byte === 0xff && bytes[index + 1] === 0xc0)
  bytes.writeUInt16BE(height, frame + 5)
  bytes.writeUInt16BE(width, frame + 7)
  return bytes
}

/** Images that were made to hurt whoever opens them, and what their senders would try in an image's place. */
export const BOMBS: Readonly<Record<string, () => Buffer | string | Promise<Buffer | string>>> = {
  'one pixel': () => solid(1, 1).png().toBuffer(),
  'no width': () => png(0, 64),
  'no height': () => png(64, 0),
  'a side that is negative': () => png(-1, -1),
  '30,000 × 30,000 in a header': () => png(30_000, 30_000),
  '2,147,483,647 × 1 in a header': () => png(2 ** 31 - 1, 1),
  '14,000 × 14,000 of one colour': () =>
    sharp({ create: { width: 14_000, height: 14_000, channels: 3, background: '#000' } })
      .png({ compressionLevel: 1 })
      .toBuffer(),
  '65,500 × 1': () => solid(65_500, 1).png().toBuffer(),
  '1 × 65,500 as JPEG': () => solid(1, 65_500).jpeg().toBuffer(),
  '65,535 × 65,535 in the header of a JPEG': () => jpegOf(65_535, 65_535),
  '16,383 × 16,383 in the header of a WebP': async () => {
    const bytes = await solid(64, 64).webp({ lossless: true }).toBuffer()
    bytes.writeUInt32LE(16_382 | (16_382 << 14), bytes.indexOf('VP8L') + 9)
    return bytes
  },
  'a colour profile that unpacks to 64 MiB': () => png(64, 64, chunk('iCCP', named('icc', 64 * MIB))),
  'a text that unpacks to 64 MiB': () => png(64, 64, chunk('zTXt', named('Comment', 64 * MIB))),
  '10,000 texts': () =>
    png(64, 64, ...Array.from({ length: 10_000 }, (_, index) => chunk('tEXt', Buffer.from(`k${index}\0value`, 'latin1')))),
  'an animation of 10,000 pictures': () =>
    png(
      64,
      64,
      chunk('acTL', Buffer.from([0, 0, 39, 16, 0, 0, 0, 0])),
      ...Array.from({ length: 10_000 }, () => chunk('fcTL', Buffer.alloc(26)))
    ),
  'pixels that unpack to more than the header says': () =>
    Buffer.concat([MAGIC, header(8, 8), chunk('IDAT', deflateSync(Buffer.alloc(64 * MIB))), END]),
  'a chunk that says it is 4 GiB': () =>
    Buffer.concat([MAGIC, header(64, 64), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from('IDATx')]),
  'a chunk of no bytes, for ever': () =>
    Buffer.concat([MAGIC, header(64, 64), ...Array.from({ length: 10_000 }, () => chunk('IDAT', Buffer.alloc(0)))]),
  'a depth that is none': () => Buffer.concat([MAGIC, header(64, 64, 7, 9), END]),
  'a header alone': () => Buffer.concat([MAGIC, header(64, 64)]),
  'first bytes alone': () => MAGIC,
  'half a JPEG': async () => (await solid(256, 256).jpeg().toBuffer()).subarray(0, 300),
  'half a WebP': async () => (await solid(256, 256).webp().toBuffer()).subarray(0, 40),
  'half an AVIF': async () => {
    const bytes = await solid(64, 64).avif({ effort: 0 }).toBuffer()
    return bytes.subarray(0, bytes.length >> 1)
  },
  'an SVG that includes a file': () =>
    Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64"><image xlink:href="file:///etc/passwd"/></svg>'
    ),
  'an SVG with entities that multiply': () =>
    Buffer.from(
      `<!DOCTYPE s [<!ENTITY a "${'x'.repeat(1000)}">${Array.from({ length: 9 }, (_, index) => `<!ENTITY ${'bcdefghij'[index]} "${`&${'abcdefghi'[index]};`.repeat(10)}">`).join('')}]><svg>&j;</svg>`
    ),
  'a GIF': () => Buffer.from('R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==', 'base64'),
  'a TIFF': () => solid(64, 64).tiff().toBuffer(),
  'a PDF': () => Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>'),
  'a script for ImageMagick': () =>
    Buffer.from('push graphic-context\nfill \'url(https://127.0.0.1/x"|id")\'\npop graphic-context'),
  'a JPEG with a program behind it': async () =>
    Buffer.concat([await solid(64, 64).jpeg().toBuffer(), Buffer.from('MZ#!/bin/sh\nid\n')]),
  nothing: () => Buffer.alloc(0),
  'a path': () => '/etc/passwd',
  'an address of a file': () => 'file:///etc/passwd',
  'an address': () => 'http://127.0.0.1:1/a.png',
  'a data URI of a path': () => 'data:image/png;base64,../../etc/passwd',
  'a data URI of an SVG': () =>
    `data:image/svg+xml;base64,${Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64')}`,
  'base64 that is none': () => '====',
  'an AVIF that claims to be a film': () =>
    Buffer.concat([Buffer.from([0, 0, 0, 28]), Buffer.from('ftypavis\0\0\0\0avismsf1miaf', 'latin1'), Buffer.alloc(64)]),
  'an ISO media file with a box of 2^64 bytes': () =>
    Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypavif\0\0\0\0avifmif1', 'latin1'),
      Buffer.from([0, 0, 0, 1]),
      Buffer.from('meta'),
      Buffer.alloc(8, 0xff)
    ])
}

const FORMATS = ['png', 'jpeg', 'webp', 'avif'] as const

/** Sound pictures of every format, with some detail in them, for `mutate`. */
export async function soundImages(): Promise<Buffer[]> {
  const noise = Buffer.from(Array.from({ length: 64 * 64 * 4 }, (_, index) => ((index * 7919) >> 3) & 255))
  const image = () => sharp(noise, { raw: { width: 64, height: 64, channels: 4 } })
  const more = [
    image().png({ progressive: true }),
    image().png({ palette: true }),
    image().webp({ lossless: true }),
    image().flatten().jpeg({ progressive: true }),
    image().withMetadata({ orientation: 6 }).jpeg()
  ]
  return Promise.all(
    [...FORMATS.map(format => (format === 'avif' ? image().avif({ effort: 0 }) : image().toFormat(format))), ...more].map(each =>
      each.toBuffer()
    )
  )
}

/** The picture with something wrong in it: bits, bytes, lengths, an end that is missing, a part twice. */
export function mutate(random: () => number, sound: Buffer): Buffer {
  const bytes = Buffer.from(sound)
  const at = (most = bytes.length) => Math.floor(random() * most)
  switch (pick(random, ['bits', 'header', 'bytes', 'cut', 'twice', 'lengths', 'swap'])) {
    case 'bits':
      for (let count = at(20); count >= 0; count--) bytes[at()]! ^= 1 << at(8)
      return bytes
    case 'header':
      bytes[8 + at(Math.min(64, bytes.length - 8))] = at(256)
      return bytes
    case 'bytes':
      bytes.fill(at(256), at(), at())
      return bytes
    case 'cut':
      return bytes.subarray(0, at())
    case 'twice':
      return Buffer.concat([bytes.subarray(0, at()), bytes.subarray(at())])
    case 'lengths':
      bytes.writeUInt32BE(pick(random, [0, 1, 0x7fffffff, 0xffffffff, bytes.length]), at(bytes.length - 4))
      return bytes
    default:
      return Buffer.concat([bytes.subarray(0, 8), bytes.subarray(8).reverse()])
  }
}
