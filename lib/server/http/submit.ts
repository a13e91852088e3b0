import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ImageBody } from '../api/endpoint.js'
import { PRIORITIES } from '../api/jobs.js'
import type { Submitted } from '../jobs/store.js'
import { bytesOf, inputBytes, type Work } from '../jobs/work.js'
import type { Service } from '../service.js'

/** Takes work on for a request. Unless it is kept, it ends when the client leaves. */
export async function submitWork(
  { jobs, limits, held }: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  work: Work,
  terms: ImageBody,
  keep = false
): Promise<Submitted> {
  const submitting = jobs.submit(work, {
    owner: request.caller!.name,
    keep,
    priority: PRIORITIES[terms.priority ?? 'normal'],
    timeoutMs: (terms.timeout_seconds ?? limits.timeoutSeconds) * 1000
  })
  request.charge!.becomeWork(
    inputBytes(work),
    submitting.then(submitted => submitted.outcome())
  )
  // The request lives as long as its reply, which a client may read slowly. The inputs end with the job.
  request.body = undefined
  const submitted = await submitting
  request.job = {
    job: submitted.view.id,
    model: work.model,
    images: work.images,
    ...(typeof terms.user === 'string' ? { user: terms.user } : {})
  }
  // A stream is sent piece by piece, and holds all of the result until its reader has read it.
  if (terms.stream === true)
    void submitted.outcome().then(outcome => {
      if (outcome.state === 'succeeded') held.count(request.caller!.name, bytesOf(outcome.result), reply.over)
    })
  if (!keep)
    void reply.over
      .then(async how => {
        if (how === 'gone') await jobs.cancel(submitted.view.id, 'client_gone')
      })
      .catch((error: unknown) => request.log.error({ err: error }, 'a job cannot be cancelled'))
  return submitted
}
