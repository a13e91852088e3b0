/** Flags of the extended header: there is Exif, there is XMP (WebP container specification). */
const [HAS_EXIF, HAS_XMP] = [0x08, 0x04]

/**
 * Adds metadata to a WebP file, which needs the extended header for it. libvips puts a prefix of JPEG before Exif, which is
 * wrong here.
 */
export function withWebpMetadata(
  webp: Buffer,
  { exif, xmp, width, height }: { exif: Buffer; xmp: Buffer; width: number; height: number }
): Buffer {
  // Behind RIFF, the length and WEBP. libwebp writes no extended header for opaque images without metadata.
  const image = webp.subarray(12)
  const header = Buffer.alloc(10)
  header[0] = HAS_EXIF | HAS_XMP
  header.writeUIntLE(width - 1, 4, 3)
  header.writeUIntLE(height - 1, 7, 3)
  const body = Buffer.concat([Buffer.from('WEBP'), chunk('VP8X', header), image, chunk('EXIF', exif), chunk('XMP ', xmp)])
  return chunk('RIFF', body)
}

/** Name, length, data, and a byte that fills it up to an even length. */
function chunk(name: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(data.length)
  return Buffer.concat([Buffer.from(name, 'latin1'), length, data, Buffer.alloc(data.length % 2)])
}
