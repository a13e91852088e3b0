import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import type { SlotState } from '../models/slot.js'
import { FORGOTTEN_MS, type QueueDatabase } from './database.js'

/** Limits that each worker has for itself: a job beyond those of all of them is refused at once. */
export const WORKER_LIMITS = ['maxImages', 'maxSide', 'maxPriorSteps', 'maxDecoderSteps', 'maxPromptLength'] as const
export type WorkerLimits = Pick<Limits, (typeof WORKER_LIMITS)[number]>

/** A model as a worker offers it. Its facts are those of `ModelFacts`, and its path is nobody else's business. */
export interface OfferedModel {
  name: string
  hash: string
  state: SlotState
  /** Seconds of a picture with the model's defaults, measured; null before the first one. */
  pictureSeconds: number | null
}

/** What a worker says of itself, again and again. */
export interface Announcement {
  id: string
  /** Of this package. */
  version: string
  models: OfferedModel[]
  limits: WorkerLimits
  /** Images that it makes at once, and those that it makes now. */
  maxRunningImages: number
  runningImages: number
  /** Whether it takes no more work. */
  draining: boolean
}

export type OfferedFacts = Omit<ModelFacts, 'path'>

/** What models are, once their workers have gone: requests for them are then answered with "not now", not with "unknown". */
const FACTS_MS = 7 * 24 * 3600 * 1000

export async function announce(
  database: QueueDatabase,
  announcement: Announcement,
  facts: readonly OfferedFacts[]
): Promise<void> {
  await database.run(
    'announce',
    ...[announcement.id, JSON.stringify(announcement), FORGOTTEN_MS, FACTS_MS, CHANGED],
    ...facts.flatMap(each => [each.name, JSON.stringify(each)])
  )
}

/** What is told when workers come, say something and go. */
export const CHANGED = 'workers-changed'

/** For a worker that runs nothing any more, and has ended none of its jobs with itself. */
export async function withdraw(database: QueueDatabase, id: string): Promise<void> {
  await database.run('withdraw', id, CHANGED)
}

export async function readWorkers(database: QueueDatabase): Promise<Announcement[]> {
  const { redis } = database
  const ids = await redis.zrange(database.key('workers'), 0, '-1')
  if (ids.length === 0) return []
  const texts = await redis.mget(ids.map(id => database.key(`worker:${id}`)))
  const gone = ids.filter((_, index) => texts[index] === null)
  if (gone.length > 0) await redis.zrem(database.key('workers'), ...gone)
  return texts.flatMap(text => (text === null || text === undefined ? [] : [JSON.parse(text) as Announcement]))
}

/** What is known of all models, in the order in which they were first offered. */
export async function readOffered(database: QueueDatabase): Promise<OfferedFacts[]> {
  const { redis } = database
  const names = await redis.zrange(database.key('models'), 0, '-1')
  if (names.length === 0) return []
  const texts = await redis.mget(names.map(name => database.key(`model:${name}`)))
  const gone = names.filter((_, index) => texts[index] === null)
  if (gone.length > 0) await redis.zrem(database.key('models'), ...gone)
  return texts.flatMap(text => (text === null || text === undefined ? [] : [JSON.parse(text) as OfferedFacts]))
}
