import { WuerstchenError } from '../../errors.js'
import type { Timings } from '../../index.js'
import { factsOf, isWithoutFiles, refused, type JobError } from '../jobs/failure.js'
import { isAnswer } from '../jobs/idempotency.js'
import type { JobView, Outcome } from '../jobs/store.js'
import { bytesOf, type JobResult, type Work } from '../jobs/work.js'
import type { Blobs } from './blobs.js'
import type { QueueDatabase } from './queue-database.js'
import type { Patience } from './patience.js'
import { outageOf } from './reach.js'
import type { Ticket } from './tickets.js'
import type { Voice } from './voice.js'
import { part, partsIn } from './wire.js'

/** A job that this worker runs. */
export interface Run {
  id: string
  number: string
  images: number
  ticket: Ticket
  voice: Voice
  view: JobView
  work: Work | undefined
  startedAt: number
  /** This process is not to end it: its ticket is kept until that has ended. */
  left: boolean
  /** It is given back: resolves when the queue knows. */
  givenBack: Promise<void> | undefined
}

/** How often files are put into a database that has forgotten them. */
const MOST_PUT = 3

/** How long files of a run stay that never ends. */
export const RUN_MS = 24 * 3600 * 1000

export interface RunEndOptions {
  database: QueueDatabase
  blobs: Blobs
  patience: Patience
  measured(work: Work, ms: number): void
}

/**
 * Ends a run, or leaves its job to whoever takes it next.
 * @returns whether it was seen; what was given up meanwhile has had its end, and what another run has begun is its own
 * @throws WuerstchenError QUEUE_FULL, whose subject is `results`: the job was left for want of its files; an outage of the queue,
 * once nobody waits any more
 */
export async function settleRun(options: RunEndOptions, run: Run, outcome: Outcome): Promise<boolean> {
  try {
    if (outcome.state === 'failed' && isWithoutFiles(outcome.error)) throw refused('results')
    return await endRun(options, run, outcome)
  } catch (error) {
    if (outageOf(error) !== undefined) throw error
    const failure = factsOf(error)
    if (!isWithoutFiles(failure)) return endRun(options, run, { state: 'failed', error: failure })
    await options.patience.ask(() => options.database.release(run.id, run.number))
    throw error
  }
}

/** Says how a run ended, and hands in its ticket. */
async function endRun({ database, blobs, patience, measured }: RunEndOptions, run: Run, outcome: Outcome): Promise<boolean> {
  const { id, number, ticket, voice, work, startedAt } = run
  const again = !isAnswer(outcome)
  let seen: boolean
  if (outcome.state === 'succeeded') {
    seen = await succeed({ database, blobs, patience }, run, outcome.result, again)
    if (work !== undefined) measured(work, performance.now() - startedAt)
    // The database does it by itself.
    if (blobs.elsewhere && seen) void blobs.drop(id, 'out', voice.previews).catch(() => {})
  } else {
    const ending = { state: outcome.state, error: JSON.stringify(outcome.error), result: '', bytes: 0, again, parts: [] }
    seen = (await patience.ask(() => database.settle(id, number, ending))) === 'seen'
  }
  try {
    await ticket.finish()
    // Not sooner: whoever gets a ticket of a worker that ended in between has to find the job over, and no other one.
    await database.handIn(ticket.id)
  } catch {
    // Somebody else has it by now, and finds the job over.
  }
  return seen
}

/** A database that was killed can have forgotten files that it had said it keeps: then they are put there again. */
async function succeed(
  { database, blobs, patience }: Pick<RunEndOptions, 'database' | 'blobs' | 'patience'>,
  { id, number, voice }: Run,
  result: JobResult,
  again: boolean
): Promise<boolean> {
  let { saved } = voice
  for (let tried = 0; tried < MOST_PUT; tried++) {
    const { text, parts } = part(result, `${number}i.`, saved)
    await patience.ask(() => blobs.put(id, 'out', parts, RUN_MS))
    const ending = { state: 'succeeded', error: '', result: text, bytes: bytesOf(result), again } as const
    const settled = await patience.ask(() =>
      database.settle(id, number, { ...ending, parts: blobs.elsewhere ? [] : partsIn(text) })
    )
    if (settled !== 'incomplete') return settled === 'seen'
    saved = new WeakMap()
  }
  throw new WuerstchenError('INTERNAL', 'Expected a queue that keeps files but they are not there', { subject: null })
}

/** What observers are told of an end. */
export function endOf(outcome: Outcome): { state: Outcome['state']; error: JobError | null; timings: Timings | null } {
  if (outcome.state !== 'succeeded') return { ...outcome, timings: null }
  return { state: outcome.state, error: null, timings: outcome.result.kind === 'images' ? outcome.result.timings : null }
}
