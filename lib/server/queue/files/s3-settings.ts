import { WuerstchenError } from '../../../errors.js'

/** How a store with S3 is reached. The keys go into signatures and nowhere else. */
export interface S3Settings {
  /** Undefined: Amazon's own, by the region. */
  endpoint: URL | undefined
  region: string
  accessKeyId: string
  secretAccessKey: string
  sessionToken: string | undefined
}

/**
 * By the variables that AWS's own tools read: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION,
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
 * @throws WuerstchenError INVALID_ARGUMENT, which quotes no value, for they may be secrets
 */
export function s3Settings(env: Readonly<Record<string, string | undefined>> = process.env): S3Settings {
  const text = (...names: string[]) => names.map(name => env[name]).find(value => value !== undefined && value !== '')
  const endpoint = text('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL')
  const region = text('AWS_REGION', 'AWS_DEFAULT_REGION')
  const [accessKeyId, secretAccessKey] = [text('AWS_ACCESS_KEY_ID'), text('AWS_SECRET_ACCESS_KEY')]
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw missing('keys of the store, in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,')
  const url = endpoint === undefined ? undefined : endpointOf(endpoint)
  if (url === undefined && region === undefined) throw missing('the region of the bucket, in AWS_REGION,')
  if (region !== undefined && !/^[a-z0-9-]{1,40}$/.test(region)) throw missing('the name of a region in AWS_REGION')
  return { endpoint: url, region: region ?? 'us-east-1', accessKeyId, secretAccessKey, sessionToken: text('AWS_SESSION_TOKEN') }
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username + url.password === '')
    return url
  throw missing('http://HOST[:PORT] or https://HOST[:PORT] in AWS_ENDPOINT_URL')
}

function missing(what: string): WuerstchenError {
  return new WuerstchenError('INVALID_ARGUMENT', `Expected ${what} for results but there is nothing of the kind`, {
    subject: 'results'
  })
}
