import { WuerstchenError } from '../../errors.js'
import type { Work } from '../jobs/work.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import type { Blobs } from './blobs.js'
import { checkedWork } from './checked-work.js'
import type { Patience } from './patience.js'
import type { Claimed } from './queue-database.js'
import { join, partsIn } from './wire.js'

export interface WorkPlace {
  blobs: Blobs
  patience: Patience
  limits: Limits
}

/**
 * The work of a job that this worker is to run, with its files.
 * @throws WuerstchenError for work that this worker does not do: who wrote it into the queue is not known
 */
export async function claimedWork(
  { record, work: text }: Exclude<Claimed, string>,
  facts: ModelFacts,
  { blobs, patience, limits }: WorkPlace
): Promise<Work> {
  // What it makes would be where no server looks.
  if (record.files !== blobs.place)
    throw broken(
      `Expected --results ${record.files} for a worker, as the servers of its queue have it, but received ${blobs.place}`
    )
  const work = join(text, await patience.ask(() => blobs.get(record.view.id, 'in', partsIn(text))))
  if (work === undefined) throw broken('The files of the job are there no longer')
  return checkedWork(work, facts, limits)
}

function broken(message: string): WuerstchenError {
  return new WuerstchenError('INTERNAL', message, { subject: null })
}
