import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WorkBody } from '../api/endpoint.js'
import { PRIORITIES } from '../api/jobs.js'
import type { Submitted } from '../jobs/store.js'
import { inputBytes, type Work } from '../jobs/work.js'
import type { Service } from '../service.js'

export interface Stay {
  /** Whether it can be asked for later. */
  keep: boolean
  /** Whether it ends when the client leaves. */
  untilGone: boolean
}

/** Takes work on for a request. */
export async function submitWork(
  { jobs, limits }: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  work: Work,
  terms: WorkBody,
  { keep, untilGone }: Stay
): Promise<Submitted> {
  const submitting = jobs.submit(work, {
    owner: request.caller!.name,
    keep,
    priority: PRIORITIES[terms.priority ?? 'normal'],
    timeoutMs: (terms.timeout_seconds ?? limits.timeoutSeconds) * 1000
  })
  request.charge!.hold(
    inputBytes(work),
    submitting.then(submitted => submitted.outcome())
  )
  const submitted = await submitting
  request.job = {
    job: submitted.view.id,
    model: work.model,
    images: work.images,
    ...(typeof terms.user === 'string' ? { user: terms.user } : {})
  }
  if (untilGone)
    void reply.over
      .then(async how => {
        if (how === 'gone') await jobs.cancel(submitted.view.id, 'client_gone')
      })
      .catch((error: unknown) => request.log.error({ err: error }, 'a job cannot be cancelled'))
  return submitted
}
