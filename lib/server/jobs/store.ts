import type { Timings } from '../../index.js'
import type { TraceContext } from '../observe/trace-context.js'
import type { Cancellation, GivenUp, JobError, Refusal } from './failure.js'
import type { JobResult, ReplyTerms, Work, WorkEvent } from './work.js'

/**
 * Where work waits and is remembered, as those see it who bring work. It knows no HTTP. Everything that passes is plain data, and
 * every answer is a promise or an async iterable, so a store can be in another process.
 */
export interface JobStore extends Duty {
  /**
   * Takes work on; or gives the owner's job that is known by the same idempotency key, also when new work would be refused.
   * @throws WuerstchenError QUEUE_FULL, whose subject is the `Refusal`; INVALID_ARGUMENT, whose subject is `idempotencyKey`,
   * where the key stands for something else
   */
  submit(work: Work, terms: Terms): Promise<Submitted>
  /** `expired` for a job that is known to have been here, until that is forgotten too. */
  get(id: string): Promise<JobView | 'expired' | undefined>
  /**
   * Newest first; `after` is the last id of the page before. Jobs that nobody keeps are not listed. Where `after` is in no list
   * any more, or never was, there is no page: `expired` or undefined, as for `get`.
   */
  list(filter: JobFilter): Promise<JobPage | 'expired' | undefined>
  /** Ends a job, queued or running, and resolves when it is over. A job that is over already stays as it is. */
  cancel(id: string, why: Cancellation): Promise<void>
  /** The job as it is, then everything that happens until it ends or the signal is aborted. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<JobEvent>
  /** The result of a job that succeeded and is still known. */
  result(id: string): Promise<JobResult | undefined>
  /** For so long, where the images of a job can be had without this server; undefined or missing where they cannot. */
  addresses?(id: string, seconds: number): Promise<string[] | undefined>
  /** Why a job of this owner would be refused now, before anything of it has been read. */
  refusal(owner: string): Promise<Refusal | undefined>
}

/** What has to come to an end before a process does. */
export interface Duty {
  /** Refuses new work and what waits, lets what runs end; resolves when nothing runs. Nobody uses the store after that. */
  drain(): Promise<void>
  /** Ends all jobs because the server is shutting down. */
  abort(): Promise<void>
  stats(): Promise<StoreStats>
}

export interface JobFilter {
  owner?: string
  after?: string
  limit: number
}

export interface JobPage {
  jobs: JobView[]
  more: boolean
}

/** A job for whoever waits for it, even if nobody keeps it. It is made on the caller's side and passes to no other process. */
export interface Submitted {
  view: JobView
  /** Whether the job was known already, by its idempotency key. */
  known: boolean
  events(signal?: AbortSignal): AsyncIterable<JobEvent>
  outcome(): Promise<Outcome>
}

/** The same store as workers see it, in this process or in others. */
export interface WorkSource {
  /**
   * What a worker is to do, until the signal is aborted or the store has been drained. A worker gets as many images at once as it
   * makes, and a larger job alone. What it has not ended when it leaves has failed.
   */
  orders(maxImages: number, signal: AbortSignal): AsyncIterable<Order>
  /** What work that runs has to say. Reports of a job arrive in the order in which they were made. */
  report(id: string, event: WorkEvent): Promise<void>
  /** How work ended. It makes room for the next order. */
  settle(id: string, outcome: Outcome): Promise<void>
}

export type Order = { type: 'run'; id: string; work: Work } | { type: 'stop'; id: string }

/** Hears of every job: metrics, diagnostics. */
export interface StoreObserver {
  queued?(job: JobView): void
  started?(job: JobView): void
  /** Timings are null where there are no images. */
  ended?(job: JobView, timings: Timings | null): void
  /** What a job that runs has to say, as `WorkSource.report` brings it. */
  reported?(id: string, event: WorkEvent): void
}

/** What makes work one that can be asked for again without being done again. */
export interface Idempotency {
  /** Chosen by the owner, and known to nobody else. */
  key: string
  /** Of everything that was asked for. */
  fingerprint: string
}

export interface Terms {
  /** Whose it is: the name of an API key. */
  owner: string
  /** Higher goes first among the owner's own. */
  priority: number
  /** Milliseconds from now until it is given up, waiting or running. */
  timeoutMs: number
  /** Whether anybody may ask for it later; else it is forgotten when it ends. */
  keep: boolean
  /** What caused it, in a distributed trace. Null, as by default, where nobody traces it. */
  trace?: TraceContext | null
  /** For work that is kept. */
  idempotency?: Idempotency
  /** Where to tell how it ended. */
  webhookUrl?: string
}

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

export type Outcome = { state: 'succeeded'; result: JobResult } | GivenUp

/** How far one image is. */
export interface ImageProgress {
  stage: 'prior' | 'decoder' | 'vqDecoder'
  step: number
  steps: number
}

/** A job as it is now. Times are milliseconds since 1970. */
export interface JobView {
  id: string
  owner: string
  model: string
  kind: Work['kind']
  state: JobState
  priority: number
  /** How many jobs start before it, from 0; null unless it is queued. */
  position: number | null
  /** In how many seconds it starts at the present pace; left out where nobody has told how long pictures take. */
  startsInSeconds?: number
  /** One an image; null before its first step. */
  progress: (ImageProgress | null)[]
  createdAt: number
  startedAt: number | null
  endedAt: number | null
  /** When it will be forgotten; until it is over, the latest time of that. Null where nobody keeps it. */
  expiresAt: number | null
  /** Why it failed or was cancelled; null where it did not. */
  error: JobError | null
  /** What caused it, in a distributed trace; null where nobody traces it. */
  trace: TraceContext | null
  idempotency: Idempotency | null
  webhookUrl: string | null
  reply: ReplyTerms
}

/** `view` comes first, and again whenever the state changes. */
export type JobEvent = { type: 'view'; view: JobView } | WorkEvent

export interface StoreStats {
  queued: number
  /** Jobs and images that run. */
  running: number
  runningImages: number
  /** Finished jobs that are kept, and their bytes. */
  kept: number
  keptBytes: number
  /** Bytes of files and texts that jobs hold. */
  inputBytes: number
  /** Milliseconds since running work was last heard of; 0 where nothing runs. */
  silentMs: number
  /** Where workers are elsewhere: what waits for each model, in seconds that one of them would need, and how many there are. */
  models?: { model: string; pictureSeconds: number; workers: number }[]
  /** Where workers are elsewhere: jobs that have ended their workers, and that can be sent again. */
  deadLetters?: number
}
