import { WuerstchenError } from '../../errors.js'

/** Where the queue is. The text of an address may hold a password: it goes to the driver and nowhere else. */
export interface QueueAddress {
  readonly url: URL
  /** The host and the port alone, for people. */
  readonly shown: string
}

const KINDS: readonly string[] = ['redis:', 'rediss:']

/** @throws WuerstchenError INVALID_ARGUMENT, which does not quote the address */
export function queueAddress(value: unknown): QueueAddress {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !KINDS.includes(url.protocol) || url.hostname === '' || !/^\/?\d{0,3}$/.test(url.pathname))
    throw new WuerstchenError(
      'INVALID_ARGUMENT',
      'Expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] or rediss://… for queue but it is something else',
      { subject: 'queue' }
    )
  return { url, shown: `${url.protocol}//${url.hostname}:${url.port || '6379'}` }
}
