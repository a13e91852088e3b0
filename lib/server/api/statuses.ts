import { WuerstchenError, type ErrorCode } from '../../errors.js'
import { factsOf, type Cancellation, type JobError, type Refusal } from '../jobs/failure.js'
import type { Outcome } from '../jobs/store.js'
import type { JobResult } from '../jobs/work.js'
import { ApiError } from './error.js'
import { fieldName } from './field-name.js'

/** How soon to come back when the server has too much to do or is about to end. */
const RETRY_AFTER_SECONDS = 5

interface Status {
  status: number
  /** The reply's code; the error's own in lower case where it is left out. */
  code?: string
  /** What the reply says where the error's own message may name files or devices of this machine. */
  says?: string
  retryAfter?: number
}

/** What a `WuerstchenError` is over HTTP. `docs/server.md` has the same table (tested). */
export const STATUSES: Record<ErrorCode, Status> = {
  INVALID_ARGUMENT: { status: 400 },
  MODEL_NOT_FOUND: { status: 503, says: 'The model cannot be loaded' },
  MODEL_INVALID: { status: 503, says: 'The model cannot be loaded' },
  MODEL_MISMATCH: { status: 503, says: 'The model cannot be used for this on this machine' },
  LIBTORCH_NOT_FOUND: { status: 503, says: 'The model cannot be loaded' },
  NATIVE_LOAD_FAILED: { status: 503, says: 'The model cannot be loaded' },
  DEVICE_UNAVAILABLE: { status: 503, says: 'The model cannot be loaded' },
  DISPOSED: { status: 503, says: 'The model was unloaded', retryAfter: RETRY_AFTER_SECONDS },
  OUT_OF_MEMORY: { status: 503, says: 'The memory of this machine did not suffice', retryAfter: RETRY_AFTER_SECONDS },
  // Another try with the same parameters would fail as well.
  NOT_FINITE: { status: 422, says: 'The numbers of a stage became infinite: try less guidance, or other parameters' },
  QUEUE_FULL: { status: 503, retryAfter: RETRY_AFTER_SECONDS },
  TIMEOUT: { status: 504 },
  INTERNAL: { status: 500, says: 'The server failed' }
}

/** What `QUEUE_FULL` is over HTTP, by its subject: wherever work is refused, and for whatever reason. */
const REFUSALS: Record<Refusal, Status> = {
  maxQueued: { status: 503, code: 'queue_full', retryAfter: RETRY_AFTER_SECONDS },
  maxQueuedPerKey: { status: 429, code: 'queue_share_full', retryAfter: RETRY_AFTER_SECONDS },
  maxHeldBytes: { status: 503, code: 'queue_full', retryAfter: RETRY_AFTER_SECONDS },
  maxHeldBytesPerKey: { status: 429, code: 'queue_share_full', retryAfter: RETRY_AFTER_SECONDS },
  shutdown: { status: 503, code: 'shutting_down', retryAfter: RETRY_AFTER_SECONDS },
  worker: { status: 503, code: 'no_worker', retryAfter: RETRY_AFTER_SECONDS },
  queue: { status: 503, code: 'queue_unreachable', retryAfter: RETRY_AFTER_SECONDS },
  results: { status: 503, code: 'results_unreachable', retryAfter: RETRY_AFTER_SECONDS }
}

const CANCELLATIONS: Record<Cancellation, Status> = {
  job_cancelled: { status: 409 },
  // Nobody reads it; it tells the log what happened. The number is nginx's.
  client_gone: { status: 499 }
}

/** Any error as a reply. What is not known to be fit for other people's eyes becomes a plain 500. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (WuerstchenError.is(error)) return fromFacts(factsOf(error))
  return fromFastify(error) ?? new ApiError({ status: 500, code: 'internal' }, 'The server failed')
}

/** What went wrong with a job as a reply; the facts are its cause, for the log. */
export function fromFacts(facts: JobError): ApiError {
  const { code, message, subject } = facts
  const { status, code: own = code.toLowerCase(), says, retryAfter } = statusOf(facts)
  const param = code === 'INVALID_ARGUMENT' && subject !== null ? paramOf(subject) : undefined
  return new ApiError(
    {
      status,
      code: own,
      ...(param === undefined ? {} : { param }),
      ...(retryAfter === undefined ? {} : { retryAfter })
    },
    says ?? message,
    { cause: facts }
  )
}

/**
 * The result of a job that succeeded.
 * @throws ApiError for any other job
 */
export function resultOf(outcome: Outcome): JobResult {
  if (outcome.state === 'succeeded') return outcome.result
  throw fromFacts(outcome.error)
}

function statusOf({ code, subject }: JobError): Status {
  if (code === 'job_cancelled' || code === 'client_gone') return CANCELLATIONS[code]
  const refusal = code === 'QUEUE_FULL' ? (REFUSALS as Partial<Record<string, Status>>)[subject ?? ''] : undefined
  // A worker, or another copy of this package, may be newer and have codes that this one does not know.
  return refusal ?? (STATUSES as Partial<Record<string, Status>>)[code] ?? STATUSES.INTERNAL
}

/** Options that requests spell in another way than in snake_case. */
const SPELT: Readonly<Record<string, string>> = {
  numImagesPerPrompt: 'n',
  width: 'size',
  height: 'size',
  previews: 'partial_images'
}

/** The field that the subject of an error means: its first name, as requests spell it. A file is no field. */
function paramOf(subject: string): string | undefined {
  const [, name] = /^([a-z][A-Za-z]*)(?:\[\d+\])*(?:\.[A-Za-z]+)*$/.exec(subject) ?? []
  return name === undefined ? undefined : (SPELT[name] ?? fieldName(name))
}

/** What Fastify and its plugins refuse by themselves, in words of ours: theirs may quote the request. */
const REFUSED: Record<number, [code: string, message: string]> = {
  400: ['bad_request', 'The request cannot be read'],
  413: ['request_too_large', 'The request has more or larger parts than this server takes'],
  414: ['uri_too_long', 'The address is too long'],
  415: [
    'unsupported_media_type',
    'Expected application/json, or multipart/form-data where a route takes a form, for the header Content-Type'
  ],
  429: ['rate_limit_exceeded', 'Too many requests; try again later']
}

function fromFastify(error: unknown): ApiError | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  const [code, message] = REFUSED[status] ?? REFUSED[400]!
  return new ApiError({ status, code }, message)
}
