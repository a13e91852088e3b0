import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ApiError, invalidField } from '../../api/error.js'
import type { Context } from '../../api/endpoint.js'
import { jobEvents } from '../../api/events.js'
import type { Fields } from '../../api/fields.js'
import { embeddingsReply } from '../../api/embeddings.js'
import { JOB, JOB_LIST, jobEndpoints, jobListReply, jobReply, jobSchema } from '../../api/jobs.js'
import { EMBEDDINGS_REPLY, IMAGES_REPLY } from '../../api/replies.js'
import { fromFacts } from '../../api/statuses.js'
import { publicPath } from '../client.js'
import { expectForm, IMAGE_FILES, sendImages, wantedForm } from '../image-reply.js'
import { IDEMPOTENCY_HEADERS } from '../idempotency-key.js'
import { sendEvents } from '../sse.js'
import type { ResultLinks } from '../result-links.js'
import { submitWork } from '../submit.js'
import { UnreadEvents } from '../unread-events.js'
import type { AllowList } from '../../webhooks/allow-list.js'
import type { JobView } from '../../jobs/store.js'

const PARAMS = z.strictObject({ id: z.uuid() })
const PAGE = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('How many.'),
  after: z.uuid().optional().describe('The last id of the page before.')
})
const ONE = { 'application/json': JOB }

/** Images to ask for now and to fetch later. A key sees its own jobs; one for administration sees everybody's. */
export function addJobs(
  app: FastifyInstance,
  fields: Fields,
  context: Context,
  links: ResultLinks,
  allow: AllowList | undefined
): void {
  const { jobs } = app.wuerstchen
  const endpoints = jobEndpoints(fields)
  const schema = jobSchema(endpoints)

  app.post(
    '/v1/jobs',
    {
      schema: { body: schema },
      config: {
        auth: 'use',
        work: true,
        operation: {
          id: 'createJob',
          summary: 'Ask for images and fetch them later',
          tag: 'jobs',
          headers: IDEMPOTENCY_HEADERS,
          body: { schema },
          replies: { 202: { description: 'It waits; the header Location says where to look.', content: ONE } },
          errors: [400, 404, 409, 413, 415, 429, 503]
        }
      }
    },
    async (request, reply) => {
      const body = request.body as z.infer<typeof schema>
      const webhook = webhookOf(body.webhook_url, allow)
      const work = await endpoints.find(each => each.path === body.endpoint)!.toWork(body.body, context)
      const { view } = await submitWork(
        app.wuerstchen,
        request,
        reply,
        { body, terms: body.body, work },
        { keep: true, untilGone: false, ...webhook }
      )
      return reply
        .code(202)
        .header('location', publicPath(request, `/v1/jobs/${view.id}`))
        .send(jobReply(view))
    }
  )

  app.get(
    '/v1/jobs',
    {
      schema: { querystring: PAGE },
      config: {
        auth: 'use',
        operation: {
          id: 'listJobs',
          summary: 'Jobs, the newest first',
          tag: 'jobs',
          query: PAGE,
          replies: { 200: { description: 'A page of them.', content: { 'application/json': JOB_LIST } } },
          errors: [400, 404, 410]
        }
      }
    },
    async request => {
      const { limit, after } = request.query as z.infer<typeof PAGE>
      const { name, scope } = request.caller!
      const page = await jobs.list({
        limit,
        ...(after === undefined ? {} : { after }),
        ...(scope === 'admin' ? {} : { owner: name })
      })
      if (page === 'expired') throw expired()
      if (page === undefined) throw unknown()
      return jobListReply(page)
    }
  )

  app.get(
    '/v1/jobs/:id',
    {
      schema: { params: PARAMS },
      config: {
        auth: 'use',
        operation: {
          id: 'getJob',
          summary: 'A job as it is',
          tag: 'jobs',
          params: PARAMS,
          replies: { 200: { description: 'The job.', content: ONE } },
          errors: [400, 404, 410]
        }
      }
    },
    async request => jobReply(await find(request))
  )

  app.delete(
    '/v1/jobs/:id',
    {
      schema: { params: PARAMS },
      config: {
        auth: 'use',
        operation: {
          id: 'cancelJob',
          summary: 'Cancel a job, queued or running',
          tag: 'jobs',
          params: PARAMS,
          replies: { 200: { description: 'The job as it is then; one that had finished stays as it was.', content: ONE } },
          errors: [400, 404, 410]
        }
      }
    },
    async request => {
      const { id } = await find(request)
      await jobs.cancel(id, 'job_cancelled')
      return jobReply(await find(request))
    }
  )

  app.get(
    '/v1/jobs/:id/events',
    {
      schema: { params: PARAMS },
      config: {
        auth: 'use',
        operation: {
          id: 'followJob',
          summary: 'A job as it is, and what happens until it is over',
          tag: 'jobs',
          params: PARAMS,
          replies: {
            200: {
              description: 'Events job.status, job.progress, job.partial_image and job.image; the first is job.status.',
              content: { 'text/event-stream': 'text' }
            }
          },
          errors: [400, 404, 410]
        }
      }
    },
    async (request, reply) => {
      const { id } = await find(request)
      return sendEvents(reply, signal => jobEvents(jobs.follow(id, signal)), new UnreadEvents(reply))
    }
  )

  app.get(
    '/v1/jobs/:id/result',
    {
      schema: { params: PARAMS },
      config: {
        auth: 'use',
        operation: {
          id: 'getJobResult',
          summary: 'What a job that succeeded has made',
          tag: 'jobs',
          params: PARAMS,
          replies: {
            200: {
              description: 'As the endpoint would have answered.',
              content: { 'application/json': z.union([IMAGES_REPLY, EMBEDDINGS_REPLY]), ...IMAGE_FILES }
            }
          },
          errors: [400, 404, 406, 409, 410, 422, 500, 503, 504]
        }
      }
    },
    async (request, reply) => {
      const view = await find(request)
      const result = await jobs.result(view.id)
      if (result?.kind === 'images') {
        const form = wantedForm(request, result.images[0]!.format)
        expectForm(form, result.images.length)
        return sendImages(reply, result, view, form, view.reply.links ? await links.of(request, jobs, view) : undefined)
      }
      if (result?.kind === 'embeddings') return embeddingsReply(result, view, false)
      if (view.error !== null) throw fromFacts(view.error)
      throw new ApiError({ status: 409, code: 'job_not_finished' }, 'The job is not finished')
    }
  )

  /** Jobs of others are as good as unknown. */
  async function find(request: FastifyRequest): Promise<JobView> {
    const { id } = request.params as z.infer<typeof PARAMS>
    const job = await jobs.get(id)
    if (job === 'expired') throw expired()
    if (job === undefined || (job.owner !== request.caller!.name && request.caller!.scope !== 'admin')) throw unknown()
    return job
  }
}

/** Checked before anything is done; what its name resolves to is checked when the message is sent. */
function webhookOf(text: string | null | undefined, allow: AllowList | undefined): { webhookUrl?: string } {
  if (text === undefined || text === null) return {}
  const url = allow?.accept(text)
  if (url !== undefined) return { webhookUrl: url.href }
  const expected =
    allow === undefined ? 'nothing, for this server sends no webhooks,' : 'an address on a host that this server may send to'
  throw invalidField('webhook_url', 'invalid_value', `Expected ${expected} for webhook_url`)
}

function expired(): ApiError {
  return new ApiError({ status: 410, code: 'job_expired' }, 'The job is known no longer')
}

function unknown(): ApiError {
  return new ApiError({ status: 404, code: 'job_not_found' }, 'There is no such job')
}
