import { WuerstchenError, type ErrorCode } from '../../errors.js'
import { ApiError } from './error.js'

/** How soon to come back when the server has too much to do or is about to end. */
export const RETRY_AFTER_SECONDS = 5

interface Status {
  status: number
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
  QUEUE_FULL: { status: 503, retryAfter: RETRY_AFTER_SECONDS },
  TIMEOUT: { status: 504 },
  INTERNAL: { status: 500, says: 'The server failed' }
}

/** Any error as a reply. What is not known to be fit for other people's eyes becomes a plain 500. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (WuerstchenError.is(error)) return fromLibrary(error)
  return fromFastify(error) ?? new ApiError({ status: 500, code: 'internal' }, 'The server failed')
}

function fromLibrary({ code, message }: WuerstchenError): ApiError {
  const { status, says, retryAfter } = STATUSES[code]
  const param = code === 'INVALID_ARGUMENT' ? paramOf(message) : undefined
  return new ApiError(
    {
      status,
      code: code.toLowerCase(),
      ...(param === undefined ? {} : { param }),
      ...(retryAfter === undefined ? {} : { retryAfter })
    },
    says ?? message
  )
}

/** The field that the library's message grammar names, "Expected … for <name> but …", as requests spell it. */
function paramOf(message: string): string | undefined {
  const name = / for ([A-Za-z]+)(?:\[\d+\])?(?:\.[a-z]+)* but /.exec(message)?.[1]
  return name?.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** What Fastify and its plugins refuse by themselves, in words of ours: theirs may quote the request. */
const REFUSED: Record<number, [code: string, message: string]> = {
  400: ['bad_request', 'The request cannot be read'],
  413: ['request_too_large', 'The request has more or larger parts than this server takes'],
  414: ['uri_too_long', 'The address is too long'],
  415: ['unsupported_media_type', 'The content type is not one that this route takes'],
  429: ['rate_limit_exceeded', 'Too many requests; try again later']
}

function fromFastify(error: unknown): ApiError | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  const [code, message] = REFUSED[status] ?? REFUSED[400]!
  return new ApiError({ status, code }, message)
}
