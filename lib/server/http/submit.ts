import type { FastifyReply, FastifyRequest } from 'fastify'
import { WuerstchenError } from '../../errors.js'
import type { WorkBody } from '../api/endpoint.js'
import { ApiError } from '../api/error.js'
import { PRIORITIES } from '../api/jobs.js'
import { fingerprintOf } from '../jobs/fingerprint.js'
import type { Submitted } from '../jobs/store.js'
import { bytesOf, inputBytes, type Work } from '../jobs/work.js'
import type { Service } from '../service.js'
import { trailOf } from './trail.js'
import { idempotencyKey } from './idempotency-key.js'

/** What a request asks for. */
export interface Asked {
  /** The checked body: all that two requests with one idempotency key must have in common. */
  body: object
  /** The part of it that says how the work is to be done. */
  terms: WorkBody
  work: Work
}

export interface Stay {
  /** Whether it can be asked for later. */
  keep: boolean
  /** Whether it ends when the client leaves. */
  untilGone: boolean
  /** Where to tell how it ended. */
  webhookUrl?: string
}

/**
 * Takes work on for a request. A request with an idempotency key is always kept, and does not end with its client: one that lost
 * its connection comes back for the answer.
 */
export async function submitWork(
  { jobs, limits, held }: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  { body, terms, work }: Asked,
  { untilGone, ...more }: Stay = { keep: false, untilGone: true }
): Promise<Submitted> {
  const key = idempotencyKey(request)
  const submitting = jobs.submit(work, {
    owner: request.caller!.name,
    priority: PRIORITIES[terms.priority ?? 'normal'],
    timeoutMs: (terms.timeout_seconds ?? limits.timeoutSeconds) * 1000,
    trace: trailOf(request)!.trace,
    ...more,
    ...(key === undefined
      ? {}
      : { keep: true, idempotency: { key, fingerprint: fingerprintOf([request.routeOptions.url, body]) } })
  })
  // The work of a known job is that of the request that came first; what this one brought ends with its reply.
  const over = submitting.then(async ({ known, outcome }) => (known ? null : outcome()))
  request.charge!.becomeWork(inputBytes(work), over)
  // The request lives as long as its reply, which a client may read slowly. The inputs end with the job.
  request.body = undefined
  const submitted = await submitting.catch(refuseReused)
  const { id } = submitted.view
  request.job = {
    job: id,
    model: work.model,
    images: work.images,
    ...(typeof terms.user === 'string' ? { user: terms.user } : {})
  }
  if (submitted.known) void reply.header('idempotency-replayed', 'true')
  // A stream is sent piece by piece, and holds all of the result until its reader has read it.
  if ('stream' in terms && terms.stream === true)
    void submitted.outcome().then(outcome => {
      if (outcome.state === 'succeeded') held.count(request.caller!.name, bytesOf(outcome.result), reply.over)
    })
  if (key === undefined && untilGone)
    void reply.over
      .then(async how => {
        if (how === 'gone') await jobs.cancel(id, 'client_gone')
      })
      .catch((error: unknown) => request.log.error({ err: error }, 'a job cannot be cancelled'))
  return submitted
}

function refuseReused(error: unknown): never {
  if (!WuerstchenError.is(error, 'INVALID_ARGUMENT') || error.subject !== 'idempotencyKey') throw error
  throw new ApiError(
    { status: 409, code: 'idempotency_key_reused' },
    'Expected the same request as before for the key in the header Idempotency-Key'
  )
}
