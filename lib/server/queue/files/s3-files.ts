import { createHash } from 'node:crypto'
import { FORMATS } from '../../../internal.js'
import type { FileStore, LinkedImage, StoredFile } from './file-store.js'
import type { S3Place } from './results-place.js'
import { S3Client, type S3Reply, type Signer, type S3Times } from './s3-client.js'
import { S3Failure } from './s3-failure.js'
import type { S3Settings } from './s3-settings.js'
import { xmlTexts } from './s3-xml.js'

/** The store keeps it with an object and sends it with its bytes, so that whoever reads knows whether all have come. */
const HASH = 'x-amz-meta-sha256'

/** Files below a prefix in a bucket. */
export class S3Files implements FileStore {
  readonly place: string
  readonly #client: S3Client
  readonly #root: string
  readonly address?: (image: LinkedImage, seconds: number) => Promise<string>

  /** @param folder below the prefix */
  constructor(signer: Signer, settings: S3Settings, place: S3Place, folder: string, times: S3Times) {
    this.#client = new S3Client(signer, settings, place, times)
    this.#root = `${place.prefix}/${folder}/`
    this.place = `s3://${place.bucket}/${place.prefix}`
    if (place.links === 'store') this.address = (image, seconds) => this.#address(image, seconds)
  }

  async write(path: string, body: Uint8Array): Promise<void> {
    // No type that a browser would run, should somebody open the bucket to the public.
    const headers = { [HASH]: hashOf(body), 'content-type': 'application/octet-stream' }
    await this.#client.send({ method: 'PUT', key: this.#root + path, headers, body })
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#client.send({ method: 'GET', key: this.#root + path }, expectWhole)).body
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async remove(path: string): Promise<void> {
    await this.#client.send({ method: 'DELETE', key: this.#root + path }).catch(error => {
      if (!isAbsent(error)) throw error
    })
  }

  async *list(folder?: string): AsyncGenerator<StoredFile> {
    const prefix = folder === undefined ? this.#root : `${this.#root}${folder}/`
    let next: string | undefined
    do {
      const query = { 'list-type': '2', prefix, ...(next === undefined ? {} : { 'continuation-token': next }) }
      const { headers, body } = await this.#client.send({ method: 'GET', key: '', query })
      // Its own clock: a difference to the one of this machine would make young files old.
      const now = Date.parse(headers.get('date') ?? '') || Date.now()
      next = undefined
      let [key, written] = ['', '']
      for (const [name, text] of xmlTexts(body.toString('utf8'))) {
        if (name === 'Key') key = text
        else if (name === 'LastModified') written = text
        else if (name === 'NextContinuationToken') next = text
        else if (name === 'Contents' && key.startsWith(this.#root))
          yield { path: key.slice(this.#root.length), ageMs: now - Date.parse(written) }
      }
    } while (next !== undefined)
  }

  close(): void {
    this.#client.close()
  }

  async #address({ path, format, seed }: LinkedImage, seconds: number): Promise<string> {
    const query = {
      'response-content-type': FORMATS[format].mime,
      // Without a space, which is a plus in addresses to some and not to others.
      'response-content-disposition': `inline;filename="wuerstchen-${seed}.${format}"`
    }
    return this.#client.signed(this.#root + path, query, seconds)
  }
}

function expectWhole({ headers, body }: S3Reply): void {
  if (headers.get(HASH) !== hashOf(body)) throw new Error('The store sent other bytes than it was given')
}

function isAbsent(error: unknown): boolean {
  return error instanceof S3Failure && error.status === 404 && error.code !== 'NoSuchBucket'
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
