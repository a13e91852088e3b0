import { createHash, timingSafeEqual } from 'node:crypto'
import { WuerstchenError } from '../../errors.js'

/** `use` may ask for images and see its own jobs, `admin` may also read metrics and see everybody's. */
export type Scope = 'use' | 'admin'

/** A key as it is kept: nobody can read it out of the memory or the log of the server. */
export interface ApiKey {
  name: string
  scope: Scope
  sha256: Buffer
}

const ENTRY =
  /^(?:([A-Za-z0-9][A-Za-z0-9._-]{0,63}):)?(sha256=[0-9a-f]{64}|(?!sha256=)[\x21-\x39\x3b-\x7e]{16,256})(?::(use|admin))?$/

/**
 * Keys as `[name:]key[:admin]`, where the key is at least 16 printable characters without a colon, or `sha256=` and the
 * key's SHA-256 in hexadecimal.
 * @throws WuerstchenError INVALID_ARGUMENT, without the key
 */
export function parseKeys(entries: readonly string[]): ApiKey[] {
  const keys = entries.map((entry, index) => {
    const [, name, key, scope] = ENTRY.exec(entry) ?? []
    if (key === undefined) {
      throw new WuerstchenError(
        'INVALID_ARGUMENT',
        `Expected [name:]key[:admin] with a key of at least 16 characters for the API key ${index + 1} but it is something else`,
        { subject: `apiKeys[${index}]` }
      )
    }
    const sha256 = key.startsWith('sha256=') ? Buffer.from(key.slice(7), 'hex') : digest(key)
    return { name: name ?? `key-${index + 1}`, scope: scope === 'admin' ? ('admin' as const) : ('use' as const), sha256 }
  })
  if (new Set(keys.map(({ name }) => name)).size < keys.length) {
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected API keys with different names but some share one', {
      subject: 'apiKeys'
    })
  }
  return keys
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
