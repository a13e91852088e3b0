import { WuerstchenError, type ErrorCode } from '../../errors.js'

/**
 * Why work is refused: the limit that was reached, that the server is ending, or, where workers are elsewhere, that none offers
 * the model or that the queue, or the place of its files, cannot be reached. It is the `subject` of the error.
 */
export type Refusal =
  | 'maxQueued'
  | 'maxQueuedPerKey'
  | 'maxHeldBytes'
  | 'maxHeldBytesPerKey'
  | 'shutdown'
  | 'worker'
  | 'queue'
  | 'results'

/** Why somebody no longer wants a job. It is the code of the job's error. */
export type Cancellation = 'job_cancelled' | 'client_gone'

/** What went wrong with a job, as data. */
export interface JobError {
  code: ErrorCode | Cancellation
  message: string
  /** The option, file or stage that the error is about; null where it is about none of these. */
  subject: string | null
}

/** How a job was given up: a wish cancels it, everything else is a failure. */
export type GivenUp = { state: 'failed' | 'cancelled'; error: JobError }

const REFUSED: Record<Refusal, string> = {
  maxQueued: 'Too many requests are waiting',
  maxQueuedPerKey: 'As many requests of this key are waiting as may wait',
  maxHeldBytes: 'Too many requests are waiting',
  maxHeldBytesPerKey: 'Requests of this key hold as much memory as they may',
  shutdown: 'The server is shutting down',
  worker: 'No worker offers the model now',
  queue: 'The queue cannot be reached now',
  results: 'The files of jobs cannot be reached now'
}

const CANCELLED: Record<Cancellation, string> = {
  job_cancelled: 'The job was cancelled',
  client_gone: 'The client went away'
}

export function refused(refusal: Refusal, cause?: unknown): WuerstchenError {
  return new WuerstchenError('QUEUE_FULL', REFUSED[refusal], { subject: refusal, ...(cause === undefined ? {} : { cause }) })
}

/** The facts of any error. What the library did not throw is a fault of the server. */
export function factsOf(error: unknown): JobError {
  if (!WuerstchenError.is(error)) return { code: 'INTERNAL', message: String(error), subject: null }
  const { code, message, subject } = error
  return { code, message, subject }
}

/** Whether work failed for the place of its files alone: it can be done as soon as that is back. */
export function isWithoutFiles({ code, subject }: JobError): boolean {
  return code === 'QUEUE_FULL' && subject === ('results' satisfies Refusal)
}

export function cancelled(why: Cancellation): GivenUp {
  return { state: 'cancelled', error: { code: why, message: CANCELLED[why], subject: null } }
}

export function timedOut(ms: number): GivenUp {
  const message = `Expected a result within ${ms} ms but there is none`
  return { state: 'failed', error: { code: 'TIMEOUT', message, subject: 'timeoutSeconds' } }
}

export function shutDown(): GivenUp {
  return { state: 'failed', error: factsOf(refused('shutdown')) }
}

export function workerLost(): GivenUp {
  return { state: 'failed', error: { code: 'INTERNAL', message: 'The worker that ran the job has left', subject: null } }
}

/** Of a job that was running each time when a worker ended without a word. */
export function workersEnded(times: number): GivenUp {
  const message = `${times} workers ended while they ran the job, so no other one is to run it`
  return { state: 'failed', error: { code: 'INTERNAL', message, subject: 'worker' } }
}
