import type { GivenUp, JobError } from '../jobs/failure.js'
import type { ImageProgress, JobState, JobView, Terms } from '../jobs/store.js'
import type { Work } from '../jobs/work.js'

/** What of a job never changes, as its record has it. */
type Fixed = Pick<JobView, 'id' | 'owner' | 'model' | 'kind' | 'priority' | 'trace' | 'idempotency' | 'webhookUrl' | 'reply'> & {
  images: number
  expires: boolean
  /** Where its files are: a `place` of `Blobs`. */
  files: string
}

/** A job's record, read from the database. */
export interface JobRecord {
  view: JobView
  keep: boolean
  /** Where its files are: a `place` of `Blobs`. */
  files: string
  /** The number of its last message. */
  seq: number
  /** The result as data, without its files; empty where there is none. */
  result: string
}

export function fixedOf(id: string, work: Work, terms: Terms, files: string): string {
  const { owner, priority, keep, trace = null, idempotency, webhookUrl } = terms
  return JSON.stringify({
    id,
    owner,
    model: work.model,
    kind: work.kind,
    priority,
    trace,
    idempotency: idempotency ?? null,
    webhookUrl: webhookUrl ?? null,
    reply: work.reply ?? { links: false, ignored: [], quality: 'auto' },
    images: work.images,
    expires: keep,
    files
  } satisfies Fixed)
}

/** What a database keeps of a job. */
export interface KeptJob {
  /** As `fixedOf` has made it. */
  fixed: string
  state: string
  createdAt: number
  startedAt: number | null
  endedAt: number | null
  deadline: number
  keptMs: number
  /** As text; empty where there is none. */
  error: string
  seq: number
  result: string
  /** The last step of an image; undefined before its first one. */
  progress(image: number): ImageProgress | undefined
}

export function recordOf({ fixed: text, ...kept }: KeptJob): JobRecord {
  const { images, expires, files, ...fixed } = JSON.parse(text) as Fixed
  const progress = Array.from({ length: images }, (_, index) => kept.progress(index) ?? null)
  return {
    view: {
      ...fixed,
      state: kept.state as JobState,
      position: null,
      progress,
      createdAt: kept.createdAt,
      startedAt: kept.startedAt,
      endedAt: kept.endedAt,
      expiresAt: expires ? (kept.endedAt ?? kept.deadline) + kept.keptMs : null,
      error: kept.error === '' ? null : (JSON.parse(kept.error) as JobError)
    },
    keep: expires,
    files,
    seq: kept.seq,
    result: kept.result
  }
}

export function isOver({ endedAt }: JobView): boolean {
  return endedAt !== null
}

/** How a job ended that has no result. */
export function givenUpOf({ state, error }: JobView): GivenUp {
  return { state: state === 'cancelled' ? 'cancelled' : 'failed', error: error! }
}
