import type { Job, Queue, Worker } from 'bullmq'
import type { QueueDatabase } from './database.js'
import { TICKET_PREFIX } from './database.js'
import { connect, type Drivers } from './drivers.js'
import type { QueueAddress } from './address.js'

/** How tickets change hands. The times are milliseconds. */
export interface TicketTimes {
  /** How long a worker has a ticket without a word. */
  lockMs: number
  /** How often somebody looks for tickets whose worker is silent: one is taken over after lockMs + 2 × checkMs at the latest. */
  checkMs: number
}

export const TICKET_TIMES: TicketTimes = { lockMs: 30_000, checkMs: 5000 }

/** How many workers a job may take along until it is a dead letter. */
export const MOST_KILLED = 2

/** BullMQ keeps what killed its workers for whoever looks at the queue with its tools. */
const [DEAD_SECONDS, MOST_DEAD] = [7 * 24 * 3600, 1000]

export const DEAD_MS = DEAD_SECONDS * 1000

const queueName = (model: string) => `model-${model}`

/**
 * Tickets to the worker's side of a model's queue: BullMQ delivers each at least once, and takes it from a worker that is silent.
 * A ticket names no job. Which one it stands for is decided when it is taken, because then it is known whose turn it is.
 */
export class TicketOffice {
  readonly #drivers: Drivers
  readonly #database: QueueDatabase
  readonly #queues = new Map<string, Queue>()

  constructor(drivers: Drivers, database: QueueDatabase) {
    this.#drivers = drivers
    this.#database = database
  }

  async issue(model: string, count = 1): Promise<void> {
    await this.#queue(model).addBulk(Array.from({ length: count }, () => ({ name: 'ticket', data: {}, opts: OPTIONS })))
    await this.#database.redis.publish(this.#database.key('work'), model)
  }

  /** How many tickets nobody has taken. */
  async waiting(model: string): Promise<number> {
    return this.#queue(model).getWaitingCount()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(queue => queue.close().catch(() => {})))
  }

  #queue(model: string): Queue {
    const known = this.#queues.get(model)
    if (known !== undefined) return known
    const queue = new this.#drivers.bullmq.Queue(queueName(model), {
      connection: this.#database.redis,
      prefix: TICKET_PREFIX,
      skipWaitingForReady: true,
      streams: { events: { maxLen: 100 } }
    })
    queue.on('error', () => {})
    this.#queues.set(model, queue)
    return queue
  }
}

const OPTIONS = { removeOnComplete: true, removeOnFail: { age: DEAD_SECONDS, count: MOST_DEAD } }

/** A ticket in the hands of a worker. */
export interface Ticket {
  id: string
  /** Whether it has killed as many workers as it may. */
  dead: boolean
  /** Whether a worker has ended with it. */
  stalled: boolean
  /** The work is done, or there is none. */
  finish(): Promise<void>
  /** Somebody else is to have it. */
  giveBack(): Promise<void>
  /** It goes to the dead letters, with a reason. */
  bury(job: string, reason: string): Promise<void>
}

/** A worker's side of the queue of one model. */
export class TicketTaker {
  readonly #worker: Worker
  readonly #times: TicketTimes
  readonly #held = new Map<string, string>()
  readonly #timer: NodeJS.Timeout
  #taken = 0

  /** @param lost hears of tickets that somebody else may have by now */
  constructor(drivers: Drivers, address: QueueAddress, model: string, times: TicketTimes, lost: (ticket: string) => void) {
    this.#times = times
    const connection = connect(drivers, address, 'patient')
    this.#worker = new drivers.bullmq.Worker(queueName(model), null, {
      connection,
      prefix: TICKET_PREFIX,
      autorun: false,
      lockDuration: times.lockMs,
      stalledInterval: times.checkMs,
      maxStalledCount: MOST_KILLED - 1
    })
    this.#worker.on('error', () => {})
    this.#worker.once('closed', () => connection.disconnect())
    void this.#worker.startStalledCheckTimer()
    this.#timer = setInterval(() => void this.#extend(lost), times.lockMs / 3)
  }

  async take(): Promise<Ticket | undefined> {
    const token = `${this.#worker.id}:${this.#taken++}`
    // Never blocking: a command that waits in a connection which was cut has kept workers of BullMQ idle for ever.
    const job = (await this.#worker.getNextJob(token, { block: false })) as Job | undefined
    if (job === undefined) return undefined
    const id = job.id!
    this.#held.set(id, token)
    const over = async (act: () => Promise<unknown>) => {
      try {
        await act()
      } finally {
        this.#held.delete(id)
      }
    }
    return {
      id,
      dead: job.deferredFailure !== undefined,
      stalled: job.stalledCounter > 0,
      finish: () => over(() => job.moveToCompleted('', token, false)),
      giveBack: () => over(() => job.moveToWait(token)),
      bury: (name, reason) =>
        over(async () => {
          await job.updateData({ job: name })
          await job.moveToFailed(new Error(reason), token, false)
        })
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#worker.close(true).catch(() => {})
  }

  async #extend(lost: (ticket: string) => void): Promise<void> {
    const held = [...this.#held]
    if (held.length === 0) return
    try {
      const ids = held.map(([id]) => id)
      const failed = await this.#worker.extendJobLocks(
        ids,
        held.map(([, token]) => token),
        this.#times.lockMs
      )
      for (const id of failed) if (this.#held.delete(id)) lost(id)
    } catch {
      // The queue cannot be reached: the next try, or the next report, tells.
    }
  }
}
