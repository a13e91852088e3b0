import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, WuerstchenError } from '../../../errors.js'

/** A prefix in a bucket of a store that speaks S3. */
export interface S3Place {
  bucket: string
  /** Without slashes at its ends. */
  prefix: string
  /** Who gives clients images by address: the store, or the servers, for a store that clients cannot reach. */
  links: 'store' | 'server'
}

/** Where files of jobs are: in the queue's database, in a directory that servers and workers share, or in a store with S3. */
export type ResultsPlace = 'queue' | { directory: string } | S3Place

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
/** Characters that mean the same in addresses and keys. No part begins with a dot. */
const PREFIX = /^\/[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\/?$/
const LINKS = /^\??$|^\?links=(store|server)$/

/** @throws WuerstchenError INVALID_ARGUMENT */
export function resultsPlace(value: unknown): ResultsPlace {
  if (value === undefined || value === 'queue') return 'queue'
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 's3:') return s3Place(url)
  if (url?.protocol === 'file:' && url.hostname === '' && isAbsolute(url.pathname)) return { directory: fileURLToPath(url) }
  throw invalid('results', 'queue, file:///DIRECTORY or s3://BUCKET/PREFIX', value)
}

function s3Place({ hostname, port, username, password, pathname, search, hash }: URL): S3Place {
  const links = LINKS.exec(search)
  if (BUCKET.test(hostname) && PREFIX.test(pathname) && links !== null && port + username + password + hash === '')
    return { bucket: hostname, prefix: pathname.replace(/^\/|\/$/g, ''), links: links[1] === 'server' ? 'server' : 'store' }
  // Without the value: somebody may have written keys into it.
  throw new WuerstchenError(
    'INVALID_ARGUMENT',
    'Expected s3://BUCKET/PREFIX[?links=store|server] for results, with letters, digits, dots, dashes and underscores in PREFIX, but it is something else',
    { subject: 'results' }
  )
}
