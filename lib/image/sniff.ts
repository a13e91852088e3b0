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

/** Whether the file says that it is animated. Decoders would silently show the first frame. */
export function isAnimated(bytes: Buffer, format: InputFormat): boolean {
  switch (format) {
    case 'PNG':
      return pngChunks(bytes).includes('acTL')
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

/** Names of the chunks before the image data, where `acTL` must be (APNG specification). */
function pngChunks(bytes: Buffer): string[] {
  const names: string[] = []
  for (let at = 8; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const name = ascii(bytes, at + 4, at + 8)
    if (name === 'IDAT') break
    names.push(name)
  }
  return names
}
