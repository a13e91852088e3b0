import { spaceOf, type ColourSpace } from './colour-space.js'

/**
 * The colour space that the `nclx` property of an AVIF's primary item names (ISO/IEC 14496-12, 12.1.5). libvips knows ICC
 * profiles only. Undefined where the item has no such property, or where the boxes are not sound: then the decoder judges them.
 */
export function avifColours(bytes: Buffer): ColourSpace | undefined {
  const meta = child({ bytes, from: 0, to: bytes.length }, 'meta', 4)
  const properties = meta && child(meta, 'iprp')
  const container = properties && child(properties, 'ipco')
  if (meta === undefined || properties === undefined || container === undefined) return undefined
  const all = [...boxes(container)]
  const own = ownProperties(meta, properties)?.flatMap(place => all[place] ?? []) ?? all
  const isNclx = ({ name, from, to }: Box) =>
    name === 'colr' && to - from >= 11 && bytes.toString('latin1', from, from + 4) === 'nclx'
  const nclx = own.find(isNclx)
  if (nclx === undefined) return undefined
  // libheif widens the range of video where there are colours, and leaves grey as it is (strukturag/libheif#580). The third byte
  // of a configuration says whether there are only greys (AV1 in ISOBMFF, 2.3.3).
  const codec = own.find(({ name }) => name === 'av1C')
  const isGrey = codec !== undefined && (bytes[codec.from + 2]! & 0x10) !== 0
  const isNarrow = isGrey && (bytes[nclx.from + 10]! & 0x80) === 0
  const named = spaceOf(bytes.readUInt16BE(nclx.from + 4), bytes.readUInt16BE(nclx.from + 6), isNarrow)
  return named ?? (isNarrow ? spaceOf(1, 13, isNarrow) : undefined)
}

/**
 * Whether the colours of an AVIF are multiplied by its opacity (ISO/IEC 23000-22, 7.3.5.2). Nothing else says it: libvips does
 * not know.
 */
export function isPremultiplied(bytes: Buffer): boolean {
  const meta = child({ bytes, from: 0, to: bytes.length }, 'meta', 4)
  const references = meta && child(meta, 'iref', 4)
  return references !== undefined && child(references, 'prem') !== undefined
}

/** A part of the file: the content of a box. */
interface Part {
  bytes: Buffer
  from: number
  to: number
}

interface Box extends Part {
  name: string
}

/** Places of properties have 15 bits. A file of others may have millions of boxes. */
const MOST = 32_767

function* boxes({ bytes, from, to }: Part): Generator<Box> {
  for (let at = from, count = 0; at + 8 <= to && count < MOST; count++) {
    const [short, name] = [bytes.readUInt32BE(at), bytes.toString('latin1', at + 4, at + 8)]
    const header = short === 1 ? 16 : 8
    if (at + header > to) return
    const size = short === 0 ? to - at : short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short
    if (size < header || at + size > to) return
    yield { bytes, name, from: at + header, to: at + size }
    at += size
  }
}

/** The first box of that name, without its first `skip` bytes. */
function child(parent: Part, name: string, skip = 0): Part | undefined {
  for (const box of boxes(parent)) if (box.name === name && box.from + skip <= box.to) return { ...box, from: box.from + skip }
  return undefined
}

/** Places in `ipco` of the primary item's properties. Undefined if the file does not say them. */
function ownProperties(meta: Part, properties: Part): number[] | undefined {
  const [primary, association] = [child(meta, 'pitm'), child(properties, 'ipma')]
  if (primary === undefined || association === undefined) return undefined
  try {
    const item = new Reader(primary)
    const wanted = item.number(item.number(4) >>> 24 === 0 ? 2 : 4)
    const reader = new Reader(association)
    const flags = reader.number(4)
    for (let entries = Math.min(MOST, reader.number(4)); entries > 0; entries--) {
      const id = reader.number(flags >>> 24 === 0 ? 2 : 4)
      const wide = (flags & 1) !== 0
      const places = Array.from(
        { length: reader.number(1) },
        () => (wide ? reader.number(2) & 0x7fff : reader.number(1) & 0x7f) - 1
      )
      if (id === wanted) return places
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return undefined
}

/** Numbers one after the other. Reading past the end throws a RangeError. */
class Reader {
  readonly #part: Part
  #at: number

  constructor(part: Part) {
    this.#part = part
    this.#at = part.from
  }

  number(bytes: 1 | 2 | 4): number {
    if (this.#at + bytes > this.#part.to) throw new RangeError('past the end')
    const value = this.#part.bytes.readUIntBE(this.#at, bytes)
    this.#at += bytes
    return value
  }
}
