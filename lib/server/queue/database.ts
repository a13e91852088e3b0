import type { Redis } from 'ioredis'
import { MOST_OVERTAKEN } from '../jobs/fair-queue.js'
import { connect, type Drivers } from './drivers.js'
import type { QueueAddress } from './address.js'
import { accept } from './lua/accept.js'
import { workersEnded } from '../jobs/failure.js'
import { claim } from './lua/claim.js'
import { ended } from './lua/ended.js'
import { endHook, takeHooks } from './lua/hooks.js'
import { cleared, leftOver } from './lua/left-over.js'
import { prelude } from './lua/prelude.js'
import { giveUp, put, release, report, sendAgain, settle } from './lua/run.js'
import { lanes, sweep } from './lua/sweep.js'
import { announce, withdraw } from './lua/workers.js'

/** Change nothing. */
const READING = { lanes }
const WRITING = {
  ...{ accept, put, claim, report, settle, release, giveUp, sendAgain, sweep, leftOver, cleared },
  ...{ takeHooks, endHook, announce, withdraw }
}
export type ScriptName = keyof typeof READING | keyof typeof WRITING

/** How many workers a job may take along until it is a dead letter, and how long that stays. */
const MOST_ENDED = 2
const DEAD_MS = 7 * 24 * 3600 * 1000

/** Workers say that they are there this often, and are forgotten after that. */
export const ANNOUNCE_MS = 3000
export const FORGOTTEN_MS = 10_000

const SHARED =
  prelude(MOST_OVERTAKEN) +
  ended({
    ...{ most: MOST_ENDED, forgottenMs: FORGOTTEN_MS, keptMs: DEAD_MS },
    failure: JSON.stringify(workersEnded(MOST_ENDED).error)
  })

/**
 * Redis without memory refuses the commands that need some, and does the others: a script would end in the middle, with a job out
 * of its lane and nowhere else. This one needs some and changes nothing, so such a script does not begin.
 */
const ALL_OR_NOTHING = `call('SETRANGE', P .. 'nothing', 0, '')\n`

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
    for (const [name, body] of Object.entries(READING)) this.redis.defineCommand(name, { numberOfKeys: 1, lua: SHARED + body })
    for (const [name, body] of Object.entries(WRITING))
      this.redis.defineCommand(name, { numberOfKeys: 1, lua: SHARED + ALL_OR_NOTHING + body })
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
