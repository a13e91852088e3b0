/** Files of a model directory, changed one by one. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {{ directory: string }} Place */

export const MANIFEST = 'wuerstchen.json'
export const COMPILED = 'compiled/compiled.json'

/**
 * The directory's files are links to the base model's, so a file is never written in place.
 * @param {string} file
 * @param {Uint8Array | string} bytes
 */
export function replace(file, bytes) {
  rmSync(file, { force: true })
  writeFileSync(file, bytes)
}

/** @param {Place} target @param {string} name @param {(bytes: Buffer) => Uint8Array} edit */
export function rewrite({ directory }, name, edit) {
  const file = join(directory, name)
  replace(file, edit(readFileSync(file)))
}

/** @param {Place} target @param {string} name @param {(json: any) => unknown} edit */
export function editJson(target, name, edit) {
  rewrite(target, name, bytes => {
    const json = JSON.parse(bytes.toString())
    return Buffer.from(JSON.stringify(edit(json) ?? json))
  })
}

/** Has the manifest and the list of libraries say that a file is what it is now. @param {Place} target @param {string} name */
export function seal(target, name) {
  const bytes = readFileSync(join(target.directory, name))
  const facts = { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  const visit = (/** @type {any} */ value) => {
    if (value === null || typeof value !== 'object') return
    if (value.file === name && value.sha256 !== undefined) {
      value.sha256 = facts.sha256
      if (value.size !== undefined) value.size = facts.size
    }
    Object.values(value).forEach(visit)
  }
  for (const list of [MANIFEST, ...(existsSync(join(target.directory, COMPILED)) ? [COMPILED] : [])])
    editJson(target, list, visit)
}
