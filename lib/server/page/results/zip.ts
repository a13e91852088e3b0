interface Entry {
  name: string
  file: Blob
  at: number
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
/** Bit 11: names are UTF-8. */
const FLAGS = 0x0800
/** The version of the format that has what is used here. */
const VERSION = 20

/**
 * A ZIP file (PKWARE's APPNOTE 6.3.10), without compression: pictures are compressed already. Files with the same name get a
 * number.
 */
export async function createZip(entries: readonly Entry[]): Promise<Blob> {
  const parts: BlobPart[] = []
  const directory: BlobPart[] = []
  let offset = 0
  let directoryBytes = 0
  for (const { name, file, at } of numbered(entries)) {
    const text = new TextEncoder().encode(name)
    const { size } = file
    const facts = [VERSION, FLAGS, 0, ...dosTime(at)]
    const sizes = [checksum(new Uint8Array(await file.arrayBuffer())), size, size]
    const local = record([LOCAL], facts, sizes, [text.length, 0])
    parts.push(local, text, file)
    // No comment, the first disk, no attributes.
    const central = record([CENTRAL], [VERSION, ...facts], sizes, [text.length, 0, 0, 0, 0], [0, offset])
    directory.push(central, text)
    offset += local.byteLength + text.length + size
    directoryBytes += central.byteLength + text.length
  }
  const end = record([END], [0, 0, entries.length, entries.length], [directoryBytes, offset], [0])
  return new Blob([...parts, ...directory, end], { type: 'application/zip' })
}

/** Numbers of 4, 2, 4, 2, … bytes, little-endian. */
function record(...groups: number[][]): ArrayBuffer {
  const width = (index: number) => (index % 2 === 0 ? 4 : 2)
  const view = new DataView(new ArrayBuffer(groups.reduce((sum, group, index) => sum + group.length * width(index), 0)))
  let at = 0
  for (const [index, group] of groups.entries()) {
    for (const value of group) {
      if (width(index) === 4) view.setUint32(at, value, true)
      else view.setUint16(at, value, true)
      at += width(index)
    }
  }
  return view.buffer
}

function numbered(entries: readonly Entry[]): Entry[] {
  const seen = new Map<string, number>()
  return entries.map(entry => {
    const count = (seen.get(entry.name) ?? 0) + 1
    seen.set(entry.name, count)
    return count === 1 ? entry : { ...entry, name: entry.name.replace(/(\.\w+)$/, ` (${count})$1`) }
  })
}

/** Time and date of MS-DOS, in local time, to two seconds. */
function dosTime(at: number): [number, number] {
  const date = new Date(at)
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1)
  return [time, ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate()]
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 of ISO 3309. */
function checksum(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255]! ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}
