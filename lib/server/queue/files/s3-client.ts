import { createHash } from 'node:crypto'
import type { AwsV4Signer } from 'aws4fetch'
import { backOff } from '../back-off.js'
import type { S3Place } from './results-place.js'
import { S3Failure } from './s3-failure.js'
import type { S3Settings } from './s3-settings.js'

/** What of aws4fetch is used. */
export type Signer = typeof AwsV4Signer

/** How long is tried. */
export interface S3Times {
  /** One try, without its bytes. */
  tryMs: number
  /** All tries of a request: after that there is no other one. */
  allMs: number
}

export interface S3Request {
  method: 'GET' | 'PUT' | 'DELETE'
  /** Of an object; empty for the bucket. */
  key: string
  query?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array
}

export interface S3Reply {
  status: number
  headers: Headers
  body: Buffer
}

/** Slower than this nobody waits for bytes. */
const BYTES_PER_MS = 64
/** More is no file of a job. */
const MOST_BYTES = 1024 ** 3
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2000

/** Signed requests to one bucket, again where a try may do better. */
export class S3Client {
  readonly #Signer: Signer
  readonly #settings: S3Settings
  readonly #bucket: string
  readonly #times: S3Times
  readonly #ended = new AbortController()
  /** Keys that were derived from the secret, one a day. */
  readonly #derived = new Map<string, ArrayBuffer>()

  constructor(signer: Signer, settings: S3Settings, { bucket }: Pick<S3Place, 'bucket'>, times: S3Times) {
    this.#Signer = signer
    this.#settings = settings
    this.#bucket = bucket
    this.#times = times
  }

  /**
   * @param whole throws where a reply is not what was asked for: it is asked for again
   * @throws S3Failure for what the store refuses; whatever else failed at the last try
   */
  async send(request: S3Request, whole: (reply: S3Reply) => void = () => {}): Promise<S3Reply> {
    const end = performance.now() + this.#times.allMs
    for (let tried = 0; ; tried++) {
      try {
        const reply = await this.#try(request)
        whole(reply)
        return reply
      } catch (error) {
        const final = error instanceof S3Failure && !error.passes
        if (final || this.#ended.signal.aborted || performance.now() >= end) throw error
      }
      await new Promise(resolve => setTimeout(resolve, backOff(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)))
    }
  }

  /** An address that anybody can read an object by. */
  async signed(key: string, query: Readonly<Record<string, string>>, seconds: number): Promise<string> {
    const url = this.#url(key, { ...query, 'X-Amz-Expires': String(seconds) })
    const { url: address } = await new this.#Signer({ ...this.#signing(url), method: 'GET', signQuery: true }).sign()
    return address.href
  }

  close(): void {
    this.#ended.abort()
  }

  async #try({ method, key, query, headers, body }: S3Request): Promise<S3Reply> {
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('hex')
    const all = { ...headers, 'x-amz-content-sha256': hash }
    const signed = await new this.#Signer({ ...this.#signing(this.#url(key, query ?? {})), method, headers: all }).sign()
    const time = AbortSignal.timeout(this.#times.tryMs + Math.ceil((body?.byteLength ?? 0) / BYTES_PER_MS))
    const response = await fetch(signed.url, {
      method,
      headers: signed.headers,
      ...(body === undefined ? {} : { body }),
      // Signatures are for one host.
      redirect: 'manual',
      signal: AbortSignal.any([time, this.#ended.signal])
    })
    const reply = { status: response.status, headers: response.headers, body: await read(response) }
    if (!response.ok) throw new S3Failure(response.status, reply.body.toString('utf8'))
    return reply
  }

  #signing(url: URL) {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#settings
    const token = sessionToken === undefined ? {} : { sessionToken }
    return { url: url.href, accessKeyId, secretAccessKey, ...token, region, service: 's3', cache: this.#derived }
  }

  #url(key: string, query: Readonly<Record<string, string>>): URL {
    const url = new URL(this.#base)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${key}`
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url
  }

  /** The bucket is in the path of an endpoint that was given, and where it has dots, for which Amazon has no certificates. */
  get #base(): string {
    const { endpoint, region } = this.#settings
    if (endpoint !== undefined) return `${endpoint.href.replace(/\/$/, '')}/${this.#bucket}`
    const host = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
    return this.#bucket.includes('.') ? `https://${host}/${this.#bucket}` : `https://${this.#bucket}.${host}`
  }
}

async function read({ body }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MOST_BYTES) throw new Error(`The store sent more than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
