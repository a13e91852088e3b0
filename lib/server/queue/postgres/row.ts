import type { ImageProgress } from '../../jobs/store.js'
import { recordOf, type JobRecord } from '../record.js'

/** A job as `record_of` gives it. */
export interface JobRow {
  fixed: string
  state: string
  created_at: number
  started_at: number | null
  ended_at: number | null
  deadline: number
  kept_ms: number
  error: string
  seq: number
  result?: string
  progress: Record<string, ImageProgress>
}

export function readRow(row: JobRow): JobRecord {
  return recordOf({
    ...{ fixed: row.fixed, state: row.state, createdAt: row.created_at, startedAt: row.started_at, endedAt: row.ended_at },
    ...{ deadline: row.deadline, keptMs: row.kept_ms, error: row.error, seq: row.seq, result: row.result ?? '' },
    progress: image => row.progress[image]
  })
}
