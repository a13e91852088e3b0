import { z } from 'zod'
import { FUNCTIONS, MANIFEST } from '../../internal.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import type { SlotState } from '../models/slot.js'
import type { WorkerBoard } from './queue-database.js'

/** Limits that each worker has for itself: a job beyond those of one of them is refused at once. */
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

const COUNT = z.number().int().nonnegative()
const POSITIVE = z.number().int().positive()
const TEXT = z.string().max(200)

const ANNOUNCEMENT = z.object({
  id: TEXT,
  version: TEXT,
  models: z.array(
    z.object({
      name: TEXT,
      hash: TEXT,
      state: z.enum(['ready', 'loading', 'failed', 'unloaded']),
      pictureSeconds: z.number().nonnegative().nullable()
    })
  ),
  limits: z.object(
    Object.fromEntries(WORKER_LIMITS.map(name => [name, POSITIVE])) as Record<keyof WorkerLimits, typeof POSITIVE>
  ),
  maxRunningImages: POSITIVE,
  runningImages: COUNT,
  draining: z.boolean()
})

const { constants, defaults, presets } = MANIFEST.shape
const FACTS = z.object({
  ...{ name: TEXT.min(1), license: z.string(), hash: TEXT, sides: z.array(POSITIVE), defaults, readsImages: z.boolean() },
  manifest: z.looseObject({
    ...{ constants, defaults, presets },
    stages: z.record(z.string(), z.looseObject({ artefacts: z.array(z.looseObject({ functions: FUNCTIONS })) }))
  })
})

/** Reads what workers say, again and again: most of it is what it was before. */
export class Announced {
  readonly #board: WorkerBoard
  #known = new Map<string, boolean>()

  constructor(board: WorkerBoard) {
    this.#board = board
  }

  /** The workers, and what is known of all models, in the order in which they were first offered. */
  async read(): Promise<{ workers: Announcement[]; offered: OfferedFacts[] }> {
    const [workers, offered] = await Promise.all([this.#board.workers(), this.#board.offered()])
    const known = new Map<string, boolean>()
    const readable = <T>(texts: readonly string[], schema: z.ZodType) =>
      texts.flatMap(text => {
        const value = parsed(text)
        const understood = this.#known.get(text) ?? schema.safeParse(value).success
        known.set(text, understood)
        // Somebody else may have written it, or a worker of another version.
        return understood ? [value as T] : []
      })
    const read = { workers: readable<Announcement>(workers, ANNOUNCEMENT), offered: readable<OfferedFacts>(offered, FACTS) }
    this.#known = known
    return read
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
