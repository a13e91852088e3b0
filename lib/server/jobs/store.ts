import type { JobResult, Work, WorkEvent } from './work.js'

/** Where work waits, runs and is remembered. Knows no HTTP; nothing that passes here needs to be in this process. */
export interface JobStore {
  /**
   * Takes work on.
   * @throws WuerstchenError QUEUE_FULL when no more may wait, of anybody or of this owner
   */
  submit(work: Work, terms: Terms): Promise<Submitted>
  /** `expired` for a job that is known to have been here, until that is forgotten too. */
  get(id: string): Promise<JobView | 'expired' | undefined>
  /** Newest first; `after` is the last id of the page before. Those that nobody keeps are not listed. */
  list(filter: { owner?: string; after?: string; limit: number }): Promise<{ jobs: JobView[]; more: boolean }>
  /** Ends a job, queued or running, for a reason, and resolves when it is over. Nothing happens to one that is over already. */
  cancel(id: string, reason: unknown): Promise<void>
  /** The job as it is, then everything that happens until it ends or the signal is aborted. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<JobEvent>
  /** The result of a job that succeeded and is still known. */
  result(id: string): Promise<JobResult | undefined>
  /** Why a job of this owner would be refused now, before anything of it has been read. */
  refusal(owner: string): Refusal | undefined
  /** Refuses new work and what waits, lets what runs end; resolves when nothing runs. */
  drain(): Promise<void>
  /** Ends what still runs. */
  abort(reason: unknown): void
  stats(): StoreStats
}

/** A job that was taken on, for whoever waits for it here: also where nobody keeps it. */
export interface Submitted {
  view: JobView
  events(signal?: AbortSignal): AsyncIterable<JobEvent>
  /** Rejects with the job's error, or the reason it was cancelled for. */
  result(): Promise<JobResult>
}

export type Refusal = 'full' | 'share' | 'draining'

export interface Terms {
  /** Whose it is: the name of an API key. */
  owner: string
  /** Higher goes first among the owner's own. */
  priority: number
  /** Milliseconds from now until it is given up, waiting or running. */
  timeoutMs: number
  /** Whether anybody may ask for it later; else it is forgotten when it ends. */
  keep: boolean
}

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** How far one picture is. */
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
  /** One a picture; null before its first step. */
  progress: (ImageProgress | null)[]
  createdAt: number
  startedAt: number | null
  endedAt: number | null
  /** When its result will be forgotten; null while it is not known. */
  expiresAt: number | null
  /** Why it failed or was cancelled; null where it did not. */
  error: unknown
}

/** `view` comes first, and again whenever the state changes. */
export type JobEvent = { type: 'view'; view: JobView } | WorkEvent

export interface StoreStats {
  queued: number
  /** Jobs and pictures that run. */
  running: number
  runningImages: number
  /** Finished jobs that are kept, and the bytes of their results. */
  kept: number
  keptBytes: number
  /** Bytes of input that jobs hold. */
  inputBytes: number
  /** Milliseconds since running work was last heard of; 0 where nothing runs. */
  silentMs: number
}
