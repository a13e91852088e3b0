/** A chunk of a PNG (PNG specification, 5.3). Its name is a number, because a file may have millions of them. */
interface PngChunk {
  code: number
  /** Where its data lies. A cut-off file ends before that. */
  from: number
  to: number
}

export function pngCode(name: string): number {
  return Buffer.from(name, 'latin1').readUInt32BE()
}

export const IMAGE_DATA = pngCode('IDAT')

/** The chunks of a PNG, which begin behind its signature: length, name, data, checksum. */
export function* pngChunks(bytes: Buffer): Generator<PngChunk, void, undefined> {
  for (let at = 8; at + 8 <= bytes.length; ) {
    const [from, to] = [at + 8, at + 8 + bytes.readUInt32BE(at)]
    yield { code: bytes.readUInt32BE(at + 4), from, to }
    at = to + 4
  }
}
