import type { ImageProgress } from '../../jobs/store.js'
import { recordOf, type JobRecord } from '../record.js'

/** A hash as scripts give it: names and values by turns. */
export function fieldsOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => flat.slice(2 * at, 2 * at + 2)))
}

/** @param fields all of the hash of a job; none where there is no job */
export function readHash(fields: Readonly<Record<string, string>>): JobRecord | undefined {
  const { view, state } = fields
  if (view === undefined || state === undefined) return undefined
  const number = (name: string) => (fields[name] === undefined ? null : Number(fields[name]))
  return recordOf({
    ...{ fixed: view, state, createdAt: Number(fields['createdAt']), startedAt: number('startedAt'), endedAt: number('endedAt') },
    ...{ deadline: Number(fields['deadline']), keptMs: Number(fields['keptMs']), error: fields['error'] ?? '' },
    ...{ seq: Number(fields['seq'] ?? 0), result: fields['result'] ?? '' },
    progress(image) {
      const step = fields[`p${image}`]
      return step === undefined ? undefined : (JSON.parse(step) as ImageProgress)
    }
  })
}
