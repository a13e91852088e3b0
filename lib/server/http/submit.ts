import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WorkBody } from '../api/endpoint.js'
import { PRIORITIES } from '../api/jobs.js'
import type { Submitted } from '../jobs/store.js'
import type { Work } from '../jobs/work.js'
import type { Service } from '../service.js'
import { onClientGone } from './gone.js'

/** Takes work on for a request. Unless it is kept, it ends when the client leaves. */
export async function submitWork(
  { jobs, limits }: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  work: Work,
  terms: WorkBody,
  keep = false
): Promise<Submitted> {
  const submitted = await jobs.submit(work, {
    owner: request.caller!.name,
    keep,
    priority: PRIORITIES[terms.priority ?? 'normal'],
    timeoutMs: (terms.timeout_seconds ?? limits.timeoutSeconds) * 1000
  })
  request.job = {
    job: submitted.view.id,
    model: work.model,
    images: work.images,
    ...(typeof terms.user === 'string' ? { user: terms.user } : {})
  }
  if (!keep) onClientGone(reply, reason => void jobs.cancel(submitted.view.id, reason))
  return submitted
}
