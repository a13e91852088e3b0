import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of an ELF header of 64 bits, and where it says how large the file is: its last part is the table of sections. */
const HEADER = { bytes: 64, tableAt: 0x28, entryBytes: 0x3a, entries: 0x3c }
const ELF_64_LITTLE = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1])

/**
 * The first shared library of a folder whose end is missing, as after a full disk or an installation that was ended early, with
 * what is wrong. Hazard: the system maps such a library without a word, and the process ends with SIGBUS when it uses it.
 */
export function cutOffLibrary(folder: string): string | undefined {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return undefined
  }
  const libraries = names.filter(name => /^lib.*\.so(\.|$)/.test(name))
  return libraries.map(name => cutOff(join(folder, name))).find(what => what !== undefined)
}

/** What is missing of a shared library or an addon; undefined if nothing is, or if the system itself will say what is wrong. */
export function cutOff(file: string): string | undefined {
  const header = Buffer.alloc(HEADER.bytes)
  let size: number
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    size = fstatSync(fd).size
    if (readSync(fd, header, 0, HEADER.bytes, 0) < HEADER.bytes) return undefined
  } catch {
    return undefined
  } finally {
    closeSync(fd)
  }
  if (!header.subarray(0, ELF_64_LITTLE.length).equals(ELF_64_LITTLE)) return undefined
  const table = Number(header.readBigUInt64LE(HEADER.tableAt))
  const end = table + header.readUInt16LE(HEADER.entryBytes) * header.readUInt16LE(HEADER.entries)
  return size < end ? `${file}: file too short (${size} bytes of ${end})` : undefined
}
