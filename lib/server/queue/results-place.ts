import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid } from '../../errors.js'

/** Where files of jobs are: in the queue's database, or in a directory that servers and workers share. */
export type ResultsPlace = 'queue' | { directory: string }

/** @throws WuerstchenError INVALID_ARGUMENT */
export function resultsPlace(value: unknown): ResultsPlace {
  if (value === undefined || value === 'queue') return 'queue'
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 'file:' && url.hostname === '' && isAbsolute(url.pathname)) return { directory: fileURLToPath(url) }
  throw invalid('results', 'queue or file:///DIRECTORY', value)
}
