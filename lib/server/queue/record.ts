import type { GivenUp, JobError } from '../jobs/failure.js'
import type { ImageProgress, JobState, JobView, Terms } from '../jobs/store.js'
import type { Work } from '../jobs/work.js'

/** What of a job never changes, as its record has it. */
type Fixed = Pick<JobView, 'id' | 'owner' | 'model' | 'kind' | 'priority' | 'trace' | 'idempotency' | 'webhookUrl' | 'reply'> & {
  images: number
  expires: boolean
}

/** A job's record, read from the database. */
export interface JobRecord {
  view: JobView
  keep: boolean
  /** The number of its last message. */
  seq: number
  /** The result as data, without its files; empty where there is none. */
  result: string
  /** Which of its runs has the result. */
  run: string
}

export function fixedOf(id: string, work: Work, { owner, priority, keep, trace = null, idempotency, webhookUrl }: Terms): string {
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
    expires: keep
  } satisfies Fixed)
}

/** A hash as scripts give it: names and values by turns. */
export function fieldsOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => flat.slice(2 * at, 2 * at + 2)))
}

/** @param fields all of the hash; none where there is no job */
export function readRecord(fields: Readonly<Record<string, string>>): JobRecord | undefined {
  const { view: text, state, createdAt, startedAt, endedAt, error, keptMs, deadline } = fields
  if (text === undefined || state === undefined) return undefined
  const { images, expires, ...fixed } = JSON.parse(text) as Fixed
  const number = (value: string | undefined) => (value === undefined ? null : Number(value))
  const ended = number(endedAt)
  const progress = Array.from({ length: images }, (_, index) => {
    const step = fields[`p${index}`]
    return step === undefined ? null : (JSON.parse(step) as ImageProgress)
  })
  return {
    view: {
      ...fixed,
      state: state as JobState,
      position: null,
      progress,
      createdAt: Number(createdAt),
      startedAt: number(startedAt),
      endedAt: ended,
      expiresAt: expires ? (ended ?? Number(deadline)) + Number(keptMs) : null,
      error: error === undefined || error === '' ? null : (JSON.parse(error) as JobError)
    },
    keep: expires,
    seq: Number(fields['seq'] ?? 0),
    result: fields['result'] ?? '',
    run: fields['run'] ?? '0'
  }
}

export function isOver({ endedAt }: JobView): boolean {
  return endedAt !== null
}

/** How a job ended that has no result. */
export function givenUpOf({ state, error }: JobView): GivenUp {
  return { state: state === 'cancelled' ? 'cancelled' : 'failed', error: error! }
}
