import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { ApiError } from '../api/error.js'
import { seconds } from '../api/replies.js'
import type { JobStore, JobView } from '../jobs/store.js'
import type { CheckedOptions } from '../options.js'
import { publicAddress } from './client.js'

/** Addresses end after this time, or with the result. */
const LONGEST_SECONDS = 3600

/**
 * Addresses of results. Whoever has one needs no key, so each is signed and ends: it can be given to a browser or to a chat, and
 * it is of no use for any other image.
 */
export class ResultLinks {
  readonly #secret: string | Buffer
  readonly #publicUrl: string | undefined

  constructor({ urlSecret, publicUrl }: Pick<CheckedOptions, 'urlSecret' | 'publicUrl'>) {
    this.#secret = urlSecret ?? randomBytes(32)
    this.#publicUrl = publicUrl
  }

  /** The address of each image of a job whose result is kept: at the place where it is, or at this server. */
  async of(request: FastifyRequest, jobs: JobStore, { id, progress, expiresAt }: JobView): Promise<string[]> {
    const expires = Math.min(seconds() + LONGEST_SECONDS, seconds(expiresAt ?? 0))
    const elsewhere = await jobs.addresses?.(id, Math.max(1, expires - seconds()))
    if (elsewhere !== undefined) return elsewhere
    const root = this.#publicUrl ?? publicAddress(request, '')
    return progress.map((_, index) => {
      const query = new URLSearchParams({
        expires: String(expires),
        signature: this.#sign(id, index, expires).toString('base64url')
      })
      return `${root}/v1/results/${id}/${index}?${query.toString()}`
    })
  }

  /** @throws ApiError 403 for an address that this server has not given, 410 for one that has ended */
  check(id: string, index: number, expires: number, signature: string): void {
    const given = Buffer.from(signature, 'base64url')
    const expected = this.#sign(id, index, expires)
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new ApiError(
        { status: 403, code: 'invalid_signature' },
        'Expected an address as this server gave it but it was changed'
      )
    if (expires <= seconds()) throw linkEnded()
  }

  #sign(id: string, index: number, expires: number): Buffer {
    return createHmac('sha256', this.#secret).update(`${id}/${index}/${expires}`).digest()
  }
}

export function linkEnded(): ApiError {
  return new ApiError({ status: 410, code: 'result_expired' }, 'The image is known no longer')
}

/**
 * A job that has just ended and is kept.
 * @throws ApiError 503 where it was larger than all that may be kept
 */
export async function keptView(jobs: JobStore, id: string): Promise<JobView> {
  const view = await jobs.get(id)
  if (typeof view === 'object') return view
  throw new ApiError(
    { status: 503, code: 'result_not_kept', param: 'response_format' },
    'The images are larger than what this server keeps: ask for b64_json'
  )
}
