import type { JobFilter, JobState, JobView, StoreStats } from '../jobs/store.js'
import type { Refusal } from '../jobs/failure.js'
import type { ImageProgress } from '../jobs/store.js'
import type { Limits } from '../limits.js'
import type { Side } from './blobs.js'
import type { JobRecord } from './record.js'

/** Workers say that they are there this often, and are forgotten after that. */
export const ANNOUNCE_MS = 3000
export const FORGOTTEN_MS = 10_000
/** What models are, once their workers have gone: requests for them are then answered with "not now", not with "unknown". */
export const FACTS_MS = 7 * 24 * 3600 * 1000

/** How many workers a job may take along until it is a dead letter, and how long that stays. */
export const MOST_ENDED = 2
export const DEAD_MS = 7 * 24 * 3600 * 1000

/**
 * In every process somebody looks each second. Where nobody did for so long, the queue could not be reached. After a shorter
 * break every worker that is there has said so before it counts as forgotten.
 */
export const BREAK_MS = 5000

/** For how long a webhook is worth sending, and how many that had no room are told of in the log. */
export const HOOK_MS = 24 * 3600 * 1000
export const MOST_TOLD = 100

/** How many jobs are remembered that are known no longer. */
export const MOST_GONE = 10_000

/** How much one look ends, forgets or decides of each kind: there is the next look. */
export const MOST_SWEPT = 200

/** How long a job is known that nobody keeps, and what a record may stay longer than it is to. */
export const UNKEPT_MS = 60_000
export const SPARE_MS = 3_600_000

/** What is told to whoever listens. Each name has one kind of text with it. */
export type Told = 'work' | 'stop' | 'hook' | 'workers-changed' | `news:${string}`

/** A job on its way into the queue. */
export interface NewJob {
  id: string
  /** What of it never changes, as its record has it. */
  fixed: string
  work: string
  model: string
  owner: string
  priority: number
  cost: number
  images: number
  keep: boolean
  timeoutMs: number
  keptMs: number
  inputBytes: number
  /** Empty where the job is no one that can be asked for again. */
  fingerprint: string
  /** The error of a job whose time is over. */
  late: string
  /** Whether its files are elsewhere. */
  elsewhere: boolean
  /** Where its webhook goes; empty where there is none. */
  hookHost: string
}

export type Bounds = Pick<Limits, 'maxQueued' | 'maxQueuedPerKey' | 'maxHeldBytes' | 'maxHeldBytesPerKey'>
export type Accepted = 'accepted' | 'known' | 'conflict' | Refusal

export interface Claim {
  model: string
  ticket: string
  worker: string
  /** How many images the worker has room for, and whether it has nothing to do: then a larger job is its too. */
  room: number
  idle: boolean
}

/** `nothing` waits; what waits is too large for now; or a run of a job begins. */
export type Claimed = 'nothing' | 'wait' | { run: string; record: JobRecord; work: string }

export interface Report {
  steps: readonly ({ image: number } & ImageProgress)[]
  messages: readonly { kind: 'step' | 'file'; contents: string }[]
}

export interface Ending {
  state: Extract<JobState, 'succeeded' | 'failed' | 'cancelled'>
  /** The error as text; empty where there is none. */
  error: string
  /** Whether the job can be asked for again by its idempotency key. */
  again: boolean
}

export interface RunEnding extends Ending {
  /** As text, without its files; empty where there is none. */
  result: string
  bytes: number
  /** The files of the result that have to be in the database. */
  parts: readonly string[]
}

/** It is the end of the job; it is none, for the run does not count or the job was over; or files of it are not there. */
export type Settled = 'seen' | 'unseen' | 'incomplete'

/** A webhook that whoever took it has for a while. */
export interface TakenHook {
  name: string
  /** How often it has been tried, this time too. */
  attempts: number
  view: JobView
}

export interface HookRoom {
  leaseMs: number
  most: number
  mostOfHost: number
  /** How many are on their way already, by host. */
  held: ReadonlyMap<string, number>
}

/** An owner's jobs that wait for a model, in their order, and how far the owner has got. */
export interface WaitingLane {
  pass: number
  items: { id: string; cost: number }[]
}

/** A count of requests, and how many milliseconds of its time are left. */
export interface Counted {
  current: number
  ttl: number
}

/** What workers say of themselves, again and again. */
export interface WorkerBoard {
  announce(worker: string, announcement: string, facts: readonly { name: string; text: string }[]): Promise<void>
  /** A worker says goodbye: it runs nothing any more, and has ended none of its jobs with itself. */
  withdraw(worker: string): Promise<void>
  /** What the workers say that are there. */
  workers(): Promise<string[]>
  /** What is known of all models, in the order in which they were first offered. */
  offered(): Promise<string[]>
}

/** Files of jobs, in the database. They go with their job's record. */
export interface Parts {
  /** Keeps some for at least `ttlMs`, beside those that are there. */
  put(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void>
  get(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>>
  drop(job: string, side: Side, names: readonly string[]): Promise<void>
}

/**
 * The database of a queue. Each method is one step: what it looks at cannot change before it writes, and it is done as a whole or
 * not at all. A connection that is cut can have a step done of which nobody had an answer, so each can be asked for again.
 */
export interface QueueDatabase {
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** A value that whoever comes first sets for good. */
  once(name: 'urlSecret' | 'folder', value: string): Promise<string>
  /** Whether it is the caller's turn, which comes once in so long over all processes. */
  turn(name: string, everyMs: number): Promise<boolean>
  /** Counts something that is forgotten after so long. */
  count(key: string, windowMs: number): Promise<Counted>
  tell(name: Told, text: string): Promise<void>

  accept(job: NewJob, bounds: Bounds): Promise<Accepted>
  /** How a job was asked for; undefined where there is none, or one that may be asked for anew. */
  fingerprintOf(id: string): Promise<string | undefined>
  record(id: string): Promise<JobRecord | undefined>
  /** Whether a job has been here that is known no longer. */
  isGone(id: string): Promise<boolean>
  page(filter: JobFilter): Promise<{ records: JobRecord[]; more: boolean } | 'expired' | undefined>
  /** How many jobs wait, of all and of an owner. */
  waiting(owner: string): Promise<{ all: number; own: number }>
  stats(): Promise<Omit<StoreStats, 'silentMs' | 'models'> & { deadLetters: number }>
  /** @param most jobs of a lane that are of interest */
  lanes(model: string, most: number): Promise<WaitingLane[]>
  giveUp(id: string, ending: Ending): Promise<void>

  claim(claim: Claim): Promise<Claimed>
  /** What a run has to say. @returns whether anybody wants to hear it */
  report(id: string, run: string, report: Report): Promise<boolean>
  /** How a run ended. */
  settle(id: string, run: string, ending: RunEnding): Promise<Settled>
  /** Another worker goes on with what this run has left. */
  release(id: string, run: string): Promise<void>
  /** A ticket stands for nothing any more. */
  handIn(ticket: string): Promise<void>

  deadLetters(): Promise<JobRecord[]>
  /** Sends a dead letter again, as the same job. @returns its model; undefined where there is no such letter */
  sendAgain(id: string): Promise<string | undefined>
  /**
   * Ends what is too late, forgets what has been kept for long enough, and decides on jobs whose workers were looked for.
   * @param kept what may be kept, where the caller knows
   * @returns how many jobs of each model wait
   */
  sweep(kept: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'> | undefined): Promise<Map<string, number>>
  /** Jobs that have left files elsewhere, and since when; others get them again after some time, unless they are `cleared`. */
  leftOver(most: number, againMs: number): Promise<{ id: string; due: string }[]>
  /** Nothing is left of a job, unless it has left more since. */
  cleared(id: string, due: string): Promise<void>
  /** Which files of a job somebody may still want. */
  wantedSides(id: string): Promise<ReadonlySet<Side>>

  /** Webhooks that are due, each leased, and the names of those that were given up, with their hosts. */
  takeHooks(room: HookRoom): Promise<{ due: TakenHook[]; lost: string[] }>
  /** @param pauseMs until the next attempt; undefined: none is to follow */
  endHook(name: string, host: string, attempt: number, pauseMs: number | undefined): Promise<void>

  readonly board: WorkerBoard
  readonly parts: Parts

  close(): Promise<void>
}
