import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import type { SlotState } from '../models/slot.js'
import type { WorkerBoard } from './queue-database.js'

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

export async function announce(board: WorkerBoard, announcement: Announcement, facts: readonly OfferedFacts[]): Promise<void> {
  const texts = facts.map(each => ({ name: each.name, text: JSON.stringify(each) }))
  await board.announce(announcement.id, JSON.stringify(announcement), texts)
}

export async function readWorkers(board: WorkerBoard): Promise<Announcement[]> {
  return (await board.workers()).map(text => JSON.parse(text) as Announcement)
}

/** What is known of all models, in the order in which they were first offered. */
export async function readOffered(board: WorkerBoard): Promise<OfferedFacts[]> {
  return (await board.offered()).map(text => JSON.parse(text) as OfferedFacts)
}
