import { createHmac } from 'node:crypto'
import { WuerstchenError } from '../../errors.js'

/** Standard Webhooks: keys for HMAC-SHA256 are `whsec_` and 24 to 64 bytes in base64. */
const SECRET = /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/
const [LEAST_BYTES, MOST_BYTES] = [24, 64]

/**
 * The keys that messages are signed with: one, or several separated by commas while receivers change from one to the next.
 * @throws WuerstchenError INVALID_ARGUMENT, whose message does not have the secret
 */
export function parseSecrets(text: string): Buffer[] {
  return text.split(',').map(each => {
    const key = Buffer.from(SECRET.exec(each.trim())?.[1] ?? '', 'base64')
    if (key.length >= LEAST_BYTES && key.length <= MOST_BYTES) return key
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      `Expected whsec_ and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64 for webhookSecret but received ${each.length} characters that are something else`,
      { subject: 'webhookSecret' }
    )
  })
}

/** What a message has to have in its headers, by the specification: https://www.standardwebhooks.com, version 1. */
export function signedHeaders(id: string, seconds: number, body: string, keys: readonly Buffer[]): Record<string, string> {
  const signatures = keys.map(key => `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') }
}
