import { WuerstchenError } from '../../errors.js'
import { parseKeys, type ApiKey } from './keys.js'

/** Without a key a server would serve everybody on its machine, so at least one has to be there. */
export function replaceApiKeys(held: { keys: ApiKey[] }, entries: readonly string[]): number {
  const keys = parseKeys(entries)
  if (keys.length === 0)
    throw new WuerstchenError('INVALID_ARGUMENT', 'Expected at least one API key but there is none', { subject: 'apiKeys' })
  held.keys = keys
  return keys.length
}
