import { crc32 } from 'node:zlib'
import { flipped, NUMBERS } from './bytes.mjs'
/** @import { Random } from './random.mjs' */

/**
 * Where a file of an archive stands.
 * @typedef {{ name: string, central: number, local: number, data: number, size: number }} Entry
 */

const END = 0x06054b50
const CENTRAL = 0x02014b50
const WEIGHT = /\/(data|constants)\//

/**
 * The files of an archive that torch wrote: nothing is compressed, and there is no comment.
 * @param {Buffer} bytes
 * @returns {{ entries: Entry[], start: number, end: number }} `start`, `end`: the central directory and the end record
 */
function entriesOf(bytes) {
  let end = bytes.length - 22
  while (end > 0 && bytes.readUInt32LE(end) !== END) end--
  const count = bytes.readUInt16LE(end + 10)
  const start = bytes.readUInt32LE(end + 16)
  const entries = []
  for (let at = start, i = 0; i < count && bytes.readUInt32LE(at) === CENTRAL; i++) {
    const [nameLength, extra, comment] = [bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32)]
    const local = bytes.readUInt32LE(at + 42)
    const data = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    entries.push({ name, central: at, local, data, size: bytes.readUInt32LE(at + 24) })
    at += 46 + nameLength + extra + comment
  }
  return { entries, start, end }
}

/** Writes the checksum of an entry's bytes where the archive has it. @param {Buffer} bytes @param {Entry} entry */
function seal(bytes, { central, local, data, size }) {
  const sum = crc32(bytes.subarray(data, data + size))
  bytes.writeUInt32LE(sum, central + 16)
  bytes.writeUInt32LE(sum, local + 14)
}

/** @type {Readonly<Record<string, (random: Random, bytes: Buffer, entries: Entry[], other: Buffer) => Buffer>>} */
const CHANGES = {
  // Fields of the archive's own records: lengths, offsets, counts, methods.
  directory: (random, bytes) => flipped(random, bytes, { from: entriesOf(bytes).start }),
  localHeader: (random, bytes, entries) => {
    const { local } = random.pick(entries)
    return flipped(random, bytes, { from: local, to: local + 30 })
  },
  sizes: (random, bytes, entries) => {
    const { central, local } = random.pick(entries)
    const value = random.pick(NUMBERS) >>> 0
    const at = random.pick([central + 20, central + 24, central + 42, local + 18, local + 22, local + 26])
    bytes.writeUInt32LE(value, at)
    return bytes
  },
  names: (random, bytes, entries) => {
    const { central, name } = random.pick(entries)
    return flipped(random, bytes, { from: central + 46, to: central + 46 + name.length })
  },
  exchanged: (random, bytes, entries) => {
    // Two files' places: code where weights are looked for.
    const [a, b] = [random.pick(entries), random.pick(entries)]
    const [first, second] = [Buffer.from(bytes.subarray(a.central + 16, a.central + 28)), bytes.readUInt32LE(a.central + 42)]
    bytes.copy(bytes, a.central + 16, b.central + 16, b.central + 28)
    bytes.writeUInt32LE(bytes.readUInt32LE(b.central + 42), a.central + 42)
    first.copy(bytes, b.central + 16)
    bytes.writeUInt32LE(second, b.central + 42)
    return bytes
  },
  dropped: (_random, bytes) => {
    const { end } = entriesOf(bytes)
    for (const at of [8, 10]) bytes.writeUInt16LE(Math.max(0, bytes.readUInt16LE(end + at) - 1), end + at)
    return bytes
  },
  // A weight's record with fewer bytes than the weight has.
  shortened: (random, bytes, entries) => {
    const entry = random.pick(entries.filter(({ name, size }) => WEIGHT.test(name) && size > 0))
    const size = random.chance(0.2) ? 0 : random.int(entry.size)
    for (const at of [entry.central + 20, entry.central + 24, entry.local + 18, entry.local + 22]) bytes.writeUInt32LE(size, at)
    seal(bytes, { ...entry, size })
    return bytes
  },
  // Contents with the right checksum: what only LibTorch's readers can refuse.
  pickle: (random, bytes, entries) => inside(random, bytes, entries, /\.pkl$/),
  code: (random, bytes, entries) => inside(random, bytes, entries, /\.py$/),
  weights: (random, bytes, entries) => inside(random, bytes, entries, WEIGHT),
  anything: (random, bytes, entries) => inside(random, bytes, entries, /./),
  spliced: (random, bytes, entries, other) => {
    const { data, size } = random.pick(entries)
    const from = random.int(Math.max(1, other.length - size))
    other.copy(bytes, data, from, Math.min(other.length, from + size))
    return bytes
  }
}

const ZIP_CHANGES = Object.keys(CHANGES)

/** @param {Random} random @param {Buffer} bytes @param {Entry[]} entries @param {RegExp} name */
function inside(random, bytes, entries, name) {
  const entry = random.pick(entries.filter(each => name.test(each.name) && each.size > 0))
  if (entry === undefined) return flipped(random, bytes)
  const copy = flipped(random, bytes, { from: entry.data, to: entry.data + entry.size, bits: 1 + random.int(4) })
  if (random.chance(0.7)) seal(copy, entry)
  return copy
}

/**
 * A program's file with one thing of its structure changed.
 * @param {Random} random
 * @param {Uint8Array} file
 * @param {Buffer} other another program's file
 */
export function zipMutated(random, file, other) {
  const bytes = Buffer.from(file)
  const change = random.pick(ZIP_CHANGES)
  return {
    change,
    bytes: /** @type {NonNullable<typeof CHANGES[string]>} */ (CHANGES[change])(random, bytes, entriesOf(bytes).entries, other)
  }
}

/** A program that loads as before and computes something else. @param {Random} random @param {Buffer} bytes */
export function otherWeights(random, bytes) {
  let copy = bytes
  for (const { name, data, size } of entriesOf(bytes).entries)
    if (name.includes('/data/') && size > 1000) copy = flipped(random, copy, { from: data, to: data + size, bits: 64 })
  return copy
}
