import { createHash, timingSafeEqual } from 'node:crypto'
import { WuerstchenError } from '../../errors.js'
import { KeyNumbers } from './numbers.js'

/** `use` may ask for images and see its own jobs, `admin` may also read metrics and see everybody's. */
export type Scope = 'use' | 'admin'

/** A key as it is kept: nobody can read it out of the memory or the log of the server. */
export interface ApiKey {
  name: string
  scope: Scope
  sha256: Buffer
}

const ENTRY = /^(?:([A-Za-z0-9][A-Za-z0-9._-]{0,63}):)?(sha256=[0-9a-f]{64}|[\x21-\x39\x3b-\x7e]{16,256})(?::(use|admin))?$/
const SHA256 = /^sha256=([0-9a-f]{64})$/

/**
 * What somebody meant as a hash: of another kind, in other letters, or cut off. It must not count as a key in plain text. Nobody
 * has that key, and if the hash was copied from elsewhere, whoever reads it would have one. `sha256:` would be a name.
 */
const LIKE_A_HASH = /^\W*(sha|md|blake|hmac|argon|bcrypt|scrypt|pbkdf)[-_]?\d*\w?[=:]|^\W*(sha|md)-?\d+[-}]|^\$\w+\$/i

/**
 * Keys as `[name:]key[:admin]`, where the key is at least 16 printable characters without a colon, or `sha256=` and the
 * key's SHA-256 in hexadecimal.
 * @param placeOf what an error calls an entry
 * @param numbers what keys without a name are called by
 * @throws WuerstchenError INVALID_ARGUMENT, without the key; also if there are none, and for a name or a key that comes twice
 */
export function parseKeys(
  entries: readonly string[],
  placeOf = (index: number) => `API key ${index + 1}`,
  numbers = new KeyNumbers()
): ApiKey[] {
  if (entries.length === 0) throw refused('at least one API key but there is none', 'apiKeys')
  const byName = new Map<string, number>()
  const byHash = new Map<string, number>()
  return entries.map((entry, index) => {
    const subject = `apiKeys[${index}]`
    const key = parseEntry(entry, index, numbers)
    if (key === undefined) {
      const form = '[name:]key[:admin] with a key of at least 16 characters, or with sha256= and 64 hexadecimal digits,'
      throw refused(`${form} for the ${placeOf(index)} but it is something else`, subject)
    }
    const sameName = byName.get(key.name)
    if (sameName !== undefined)
      throw refused(`API keys with different names but the ${placeOf(sameName)} and the ${placeOf(index)} share one`, subject)
    const hash = key.sha256.toString('hex')
    const sameKey = byHash.get(hash)
    // Which of the two names and scopes would count is nobody's to guess.
    if (sameKey !== undefined)
      throw refused(`different API keys but the ${placeOf(sameKey)} and the ${placeOf(index)} are the same`, subject)
    byName.set(key.name, index)
    byHash.set(hash, index)
    return key
  })
}

function parseEntry(entry: string, index: number, numbers: KeyNumbers): ApiKey | undefined {
  const [, name, key, scope = 'use'] = ENTRY.exec(entry) ?? []
  if (key === undefined) return undefined
  const [, hex] = SHA256.exec(key) ?? []
  if (hex === undefined && (LIKE_A_HASH.test(key) || LIKE_A_HASH.test(entry))) return undefined
  const sha256 = hex === undefined ? digest(key) : Buffer.from(hex, 'hex')
  return { name: name ?? `key-${numbers.of(sha256.toString('hex'), index + 1)}`, scope: scope as Scope, sha256 }
}

/** The key that a request gave. Every key is compared, in a time that does not depend on what was given. */
export function findKey(keys: readonly ApiKey[], given: string): ApiKey | undefined {
  const sha256 = digest(given)
  let found: ApiKey | undefined
  for (const key of keys) if (timingSafeEqual(key.sha256, sha256)) found = key
  return found
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

function refused(expected: string, subject: string): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', `Expected ${expected}`, { subject })
}
