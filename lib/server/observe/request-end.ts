import { WuerstchenError } from '../../errors.js'
import { toApiError } from '../api/statuses.js'
import { factsOf, type JobError } from '../jobs/failure.js'

/** nginx's number for a request whose client left before it had all of its reply. Nobody is ever sent it. */
export const CLIENT_GONE = 499

/** How a request ended: what log, metrics and traces are told, once for each. */
export interface RequestEnd {
  /** Null where the request never became whole. */
  method: string | null
  /** The route's pattern; null where there is none. */
  route: string | null
  /** What was answered; `CLIENT_GONE` where the client left before it had all of that. */
  status: number
  /** Milliseconds since its head was there. */
  ms: number
  /** Bytes of the reply that were given to the connection, with its head. */
  bytes: number
  /** The name of the key that it came with. */
  key: string | null
  failure: Failure | null
}

/** Why a request did not get what it asked for. */
export interface Failure {
  status: number
  /** The reply's code. */
  code: string
  /** The limit that was reached, or `shutdown`; the code where it is neither. */
  reason: string
}

export function failureOf(error: unknown): Failure {
  const { status, code, cause } = toApiError(error)
  const facts = WuerstchenError.is(error) ? factsOf(error) : (cause as Partial<JobError> | undefined)
  const reason = facts?.code === 'QUEUE_FULL' ? facts.subject : null
  return { status, code, reason: reason ?? code }
}
