import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { makeFolder } from './make-folder.mjs'

/**
 * SHA-256 over the names and contents of files, and over other values. It covers contents and not times: a checkout changes times
 * without changing a byte, and a restored old file has an old time.
 * @param {string} base names are relative to it, so that moving the folder changes nothing
 * @param {string[]} paths files or folders; a path that does not exist counts as absent
 * @param {unknown} values anything that JSON can hold
 */
export function fingerprint(base, paths, values = null) {
  const hash = createHash('sha256').update(JSON.stringify(values))
  for (const file of paths.flatMap(filesUnder).sort()) {
    const bytes = readFileSync(file)
    hash.update(`\0${relative(base, file)}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

/**
 * The record that a step leaves inside its output, so that both are deleted together.
 * @param {string} file
 * @returns {Record<string, any> | undefined} undefined if there is none that can be read
 */
export function readRecord(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * @param {string} file
 * @param {Record<string, unknown>} record
 */
export function writeRecord(file, record) {
  makeFolder(dirname(file))
  replaceFile(file, beside => {
    writeFileSync(beside, JSON.stringify(record, null, 2) + '\n')
  })
}

/**
 * Puts a file into its place in one step. Others read it at any time, and a second set-up may write the same file.
 * @param {string} file
 * @param {(beside: string) => void} write to this name in the same folder
 */
export function replaceFile(file, write) {
  const beside = `${file}.${randomUUID()}.new`
  try {
    write(beside)
    renameSync(beside, file)
  } finally {
    rmSync(beside, { force: true })
  }
}

/** @param {string} path @returns {string[]} */
function filesUnder(path) {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { withFileTypes: true })
    .filter(entry => entry.name !== '__pycache__')
    .flatMap(entry => filesUnder(join(path, entry.name)))
}
