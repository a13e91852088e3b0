import { z } from 'zod'
import type { JobPage, JobView } from '../jobs/store.js'
import { decodeEndpoint } from './decode.js'
import type { Endpoint, ImageBody } from './endpoint.js'
import type { Fields } from './fields.js'
import { imageEndpoints } from './images.js'
import { ERROR_REPLY, seconds } from './replies.js'
import { fromFacts } from './statuses.js'

/** What can be asked for now and fetched later. */
export function jobEndpoints(fields: Fields): Endpoint<ImageBody>[] {
  return [...imageEndpoints(fields, 'job'), decodeEndpoint(fields, 'job')]
}

const WEBHOOK_URL = z
  .string()
  .max(2048)
  .nullish()
  .describe('Where to tell how the job ended: an address on one of the hosts that this server may send to.')

/** An endpoint, and what would be sent to it, as in OpenAI's batches; files in base64. */
export function jobSchema(endpoints: readonly Endpoint<ImageBody>[]) {
  const [first, ...rest] = endpoints.map(({ path, schema }) =>
    z.strictObject({ endpoint: z.literal(path), body: schema, webhook_url: WEBHOOK_URL })
  )
  return z.discriminatedUnion('endpoint', [first!, ...rest])
}

const ENDPOINTS = {
  generate: '/v1/images/generations',
  edit: '/v1/images/edits',
  vary: '/v1/images/variations',
  decode: '/v1/image-embeddings/decode',
  embedText: '/v1/image-embeddings',
  embedImage: '/v1/image-embeddings'
} as const satisfies Record<JobView['kind'], string>

const TIME = z.int().nullable().describe('Seconds since 1970; null while it has not come.')

export const JOB = z.object({
  id: z.uuid(),
  object: z.literal('job'),
  endpoint: z.enum(Object.values(ENDPOINTS)),
  model: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  priority: z.enum(['low', 'normal', 'high']),
  queue_position: z.int().min(0).nullable().describe('How many jobs start before it; null unless it is queued.'),
  starts_in_seconds: z
    .number()
    .min(0)
    .optional()
    .describe(
      'In how long it starts at the present pace. Only while it is queued, and where workers of a queue have told their pace.'
    ),
  progress: z
    .array(z.object({ stage: z.enum(['prior', 'decoder', 'vqDecoder']), step: z.int(), steps: z.int() }).nullable())
    .describe('One an image; null before its first step.'),
  created_at: z.int(),
  started_at: TIME,
  finished_at: TIME,
  trace_id: z.string().nullable().describe('The trace that it belongs to, as in the header traceparent; null without one.'),
  expires_at: z.int().describe('Seconds since 1970: when it is forgotten; until it is over, the latest time of that.'),
  ignored: z.array(z.string()).describe('Fields of the request that change nothing here.'),
  error: ERROR_REPLY.shape.error.nullable().describe('Why it failed or was cancelled.')
})

const ID = z.uuid().nullable().describe('null where the page is empty.')

/** OpenAI's form of a list. */
export const JOB_LIST = z.object({
  object: z.literal('list'),
  data: z.array(JOB),
  first_id: ID,
  last_id: ID,
  has_more: z.boolean()
})

export const PRIORITIES = { low: -1, normal: 0, high: 1 } as const

export function jobReply(view: JobView): z.infer<typeof JOB> {
  const time = (ms: number | null) => (ms === null ? null : seconds(ms))
  return {
    id: view.id,
    object: 'job',
    endpoint: ENDPOINTS[view.kind],
    model: view.model,
    status: view.state,
    priority: view.priority < 0 ? 'low' : view.priority > 0 ? 'high' : 'normal',
    queue_position: view.position,
    ...(view.startsInSeconds === undefined ? {} : { starts_in_seconds: Number(view.startsInSeconds.toFixed(1)) }),
    progress: view.progress,
    created_at: seconds(view.createdAt),
    started_at: time(view.startedAt),
    finished_at: time(view.endedAt),
    trace_id: view.trace?.traceId ?? null,
    // Whoever can ask for a job asks for one that is kept.
    expires_at: seconds(view.expiresAt!),
    ignored: [...view.reply.ignored],
    error: view.error === null ? null : fromFacts(view.error).toJSON().error
  }
}

export function jobListReply({ jobs, more }: JobPage): z.infer<typeof JOB_LIST> {
  return {
    object: 'list',
    data: jobs.map(jobReply),
    first_id: jobs[0]?.id ?? null,
    last_id: jobs.at(-1)?.id ?? null,
    has_more: more
  }
}
