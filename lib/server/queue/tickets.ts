import type { Job, Queue, Worker } from 'bullmq'
import type { QueueDatabase } from './queue-database.js'

/** How tickets change hands. The times are milliseconds. */
export interface TicketTimes {
  /** How long a worker has a ticket without a word. */
  lockMs: number
  /** How often somebody looks for tickets whose worker is silent: one is taken over after lockMs + 2 × checkMs at the latest. */
  checkMs: number
}

export const TICKET_TIMES: TicketTimes = { lockMs: 30_000, checkMs: 5000 }

/** BullMQ counts tickets whose lock has run out, also by an outage. Which job ended its workers is found out elsewhere. */
const NEVER_DEAD = 2 ** 31 - 1

/** BullMQ waits for a queue that is away before it closes what it has of it. */
const CLOSE_MS = 500

/** Whoever ends does not wait for long. */
async function soon(closing: Promise<unknown>): Promise<void> {
  await Promise.race([closing.catch(() => {}), new Promise(resolve => setTimeout(resolve, CLOSE_MS).unref())])
}

export const queueName = (model: string) => `model-${model}`

/** Of a ticket nothing is kept, and of what happens to it next to nothing. */
export const QUEUE_OPTIONS = { skipWaitingForReady: true, streams: { events: { maxLen: 100 } } }
const TICKET = { name: 'ticket', data: {}, opts: { removeOnComplete: true } }

/** A worker of BullMQ that takes nothing by itself. */
export function workerOptions({ lockMs, checkMs }: TicketTimes) {
  return { autorun: false, lockDuration: lockMs, stalledInterval: checkMs, maxStalledCount: NEVER_DEAD }
}

/**
 * Tickets to the worker's side of a model's queue: BullMQ delivers each at least once, and takes it from a worker that is silent.
 * A ticket names no job. Which one it stands for is decided when it is taken, because then it is known whose turn it is.
 */
export class TicketOffice {
  readonly #open: (model: string) => Queue
  readonly #database: QueueDatabase
  readonly #queues = new Map<string, Queue>()

  constructor(open: (model: string) => Queue, database: QueueDatabase) {
    this.#open = open
    this.#database = database
  }

  async issue(model: string, count = 1): Promise<void> {
    const queue = this.#queue(model)
    // In PostgreSQL many at once make tables of their own in the catalog, which one by one does not.
    if (count === 1) await queue.add(TICKET.name, TICKET.data, TICKET.opts)
    else await queue.addBulk(Array.from({ length: count }, () => TICKET))
    await this.#database.tell('work', model)
  }

  /** How many tickets nobody has taken. */
  async waiting(model: string): Promise<number> {
    return this.#queue(model).getWaitingCount()
  }

  async close(): Promise<void> {
    await soon(Promise.all([...this.#queues.values()].map(queue => queue.close())))
  }

  #queue(model: string): Queue {
    const known = this.#queues.get(model)
    if (known !== undefined) return known
    const queue = this.#open(model)
    queue.on('error', () => {})
    this.#queues.set(model, queue)
    return queue
  }
}

/** A ticket in the hands of a worker. */
export interface Ticket {
  id: string
  /** The work is done, or there is none. */
  finish(): Promise<void>
  /** Somebody else is to have it. */
  giveBack(): Promise<void>
}

/** A connection that waits for its queue has no answer until that is back. A ticket that nobody waits for is given back. */
export async function unlessAborted(taking: Promise<Ticket | undefined>, signal: AbortSignal): Promise<Ticket | undefined> {
  let stop = () => {}
  const aborted = new Promise<undefined>(resolve => {
    stop = () => resolve(undefined)
  })
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop)
  const ticket = await Promise.race([taking, aborted]).finally(() => signal.removeEventListener('abort', stop))
  if (ticket === undefined) void taking.then(late => late?.giveBack()).catch(() => {})
  return ticket
}

/** A worker's side of the queue of one model. */
export class TicketTaker {
  readonly #worker: Worker
  readonly #times: TicketTimes
  /** Asks again while the queue is away, for as long as a ticket is held without a word. */
  readonly #insist: <T>(act: () => Promise<T>) => Promise<T>
  readonly #held = new Map<string, string>()
  readonly #timer: NodeJS.Timeout
  #taken = 0

  constructor(worker: Worker, times: TicketTimes, insist: <T>(act: () => Promise<T>) => Promise<T>) {
    this.#times = times
    this.#worker = worker
    this.#insist = insist
    this.#worker.on('error', () => {})
    void this.#worker.startStalledCheckTimer()
    this.#timer = setInterval(() => void this.#extend(), times.lockMs / 3)
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
        await this.#insist(act)
      } finally {
        // Lost and taken again, it is held by another token.
        if (this.#held.get(id) === token) this.#held.delete(id)
      }
    }
    return {
      // BullMQ counts the tickets of each queue by themselves: two models have tickets of the same number.
      id: `${this.#worker.name}/${id}`,
      finish: () => over(() => job.moveToCompleted('', token, false)),
      giveBack: () => over(() => job.moveToWait(token))
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await soon(this.#worker.close(true))
  }

  /** A run whose ticket is lost goes on until another one has begun, which its next report tells, and a message sooner. */
  async #extend(): Promise<void> {
    const held = [...this.#held]
    if (held.length === 0) return
    try {
      const ids = held.map(([id]) => id)
      const failed = await this.#worker.extendJobLocks(
        ids,
        held.map(([, token]) => token),
        this.#times.lockMs
      )
      for (const id of failed) this.#held.delete(id)
    } catch {
      // The queue cannot be reached: there is the next try.
    }
  }
}
