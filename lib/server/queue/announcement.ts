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

/** Texts that are read again and again: most of them are what they were before. */
class Understood<T> {
  readonly #schema: z.ZodType
  #known = new Map<string, T | undefined>()

  constructor(schema: z.ZodType) {
    this.#schema = schema
  }

  /** Those that are as they should be. Somebody else may have written one, or a worker of another version. */
  read(texts: readonly string[]): T[] {
    this.#known = new Map(texts.map(text => [text, this.#known.has(text) ? this.#known.get(text) : this.#parsed(text)]))
    return texts.flatMap(text => this.#known.get(text) ?? [])
  }

  #parsed(text: string): T | undefined {
    try {
      const value: unknown = JSON.parse(text)
      return this.#schema.safeParse(value).success ? (value as T) : undefined
    } catch {
      return undefined
    }
  }
}

/** The workers, and what is known of all models, in the order in which they were first offered. */
export class Announced {
  readonly #board: WorkerBoard
  readonly #workers = new Understood<Announcement>(ANNOUNCEMENT)
  readonly #offered = new Understood<OfferedFacts>(FACTS)

  constructor(board: WorkerBoard) {
    this.#board = board
  }

  async read(): Promise<{ workers: Announcement[]; offered: OfferedFacts[] }> {
    const [workers, offered] = await Promise.all([this.#board.workers(), this.#board.offered()])
    return { workers: this.#workers.read(workers), offered: this.#offered.read(offered) }
  }
}
