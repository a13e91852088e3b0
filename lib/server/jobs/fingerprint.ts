import { createHash, type Hash } from 'node:crypto'

/**
 * A hash of plain data, in which files count by their bytes: two values have the same one only if they say the same. The order
 * of fields does not matter, and a field that is null or undefined is as good as absent.
 */
export function fingerprintOf(data: unknown): string {
  const hash = createHash('sha256')
  feed(hash, data)
  return hash.digest('base64url')
}

/** Everything begins with its kind and its length, so that no two values give the same bytes. */
function feed(hash: Hash, value: unknown): void {
  if (value instanceof Uint8Array) {
    hash.update(`bytes ${value.byteLength}:`).update(value)
  } else if (Array.isArray(value)) {
    hash.update(`list ${value.length}:`)
    for (const each of value) feed(hash, each)
  } else if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, each]) => each !== undefined && each !== null)
    hash.update(`object ${fields.length}:`)
    for (const [name, each] of fields.sort(([a], [b]) => (a < b ? -1 : 1))) {
      feed(hash, name)
      feed(hash, each)
    }
  } else {
    const text = JSON.stringify(value ?? null)
    hash.update(`${typeof value} ${Buffer.byteLength(text)}:`).update(text)
  }
}
