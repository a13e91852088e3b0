import { createHash, randomUUID } from 'node:crypto'
import type { Terms } from '../jobs/store.js'

/**
 * The id of a job: of work that may be asked for again, the same one wherever it is asked for, and else a new one. A version 8
 * UUID (RFC 9562, 5.8) is one of one's own making.
 */
export function jobId({ owner, idempotency }: Terms): string {
  if (idempotency === undefined) return randomUUID()
  const bytes = createHash('sha256')
    .update(JSON.stringify([owner, idempotency.key]))
    .digest()
    .subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
