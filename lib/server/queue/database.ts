import type { Redis } from 'ioredis'
import { MOST_OVERTAKEN } from '../jobs/fair-queue.js'
import { connect, type Drivers } from './drivers.js'
import type { QueueAddress } from './address.js'
import { accept } from './lua/accept.js'
import { claim } from './lua/claim.js'
import { cleared, leftOver } from './lua/left-over.js'
import { prelude } from './lua/prelude.js'
import { bury, giveUp, put, release, report, sendAgain, settle } from './lua/run.js'
import { lanes, sweep } from './lua/sweep.js'

const SCRIPTS = { accept, put, claim, report, settle, release, giveUp, bury, sendAgain, sweep, lanes, leftOver, cleared }
export type ScriptName = keyof typeof SCRIPTS

/** All keys of a queue. The braces keep them in one slot of a cluster, as the scripts need it. */
export const PREFIX = '{wuerstchen}:'
/** BullMQ puts the colon itself. */
export const TICKET_PREFIX = '{wuerstchen}'

type Argument = string | number | Buffer

/** The database of a queue, with the steps that it does as one. */
export class QueueDatabase {
  readonly redis: Redis

  constructor(drivers: Drivers, address: QueueAddress, kind: 'prompt' | 'patient') {
    this.redis = connect(drivers, address, kind)
    for (const [name, body] of Object.entries(SCRIPTS))
      this.redis.defineCommand(name, { numberOfKeys: 1, lua: prelude(MOST_OVERTAKEN) + body })
  }

  async run<T>(script: ScriptName, ...args: Argument[]): Promise<T> {
    const commands = this.redis as unknown as Record<ScriptName, (...all: Argument[]) => Promise<T>>
    return commands[script](PREFIX, ...args)
  }

  key(name: string): string {
    return PREFIX + name
  }

  close(): void {
    this.redis.disconnect()
  }
}
