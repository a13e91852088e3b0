import type { OpenEar } from './ear.js'
import type { QueueDatabase } from './queue-database.js'
import type { TicketOffice, TicketTaker, TicketTimes } from './tickets.js'

/**
 * What a kind of database brings to a queue.
 *
 * `prompt`: commands fail at once while the queue cannot be reached; `patient`: they wait for it, for a while or for ever.
 */
export interface Engine {
  database: QueueDatabase
  ear: OpenEar
  office: TicketOffice
  taker(model: string, times: TicketTimes): TicketTaker
  /** Makes what the queue needs in its database. Is asked until it succeeds, or fails for good. */
  prepare(): Promise<void>
  /** A word for what the connection failed with last, where what is asked of it fails with other words, or waits. */
  fault?(): string | undefined
  /**
   * Before somebody takes tickets.
   * @throws WuerstchenError INVALID_ARGUMENT where the clock of this machine is too far off
   */
  expectClock(): Promise<void>
  close(): Promise<void>
}
