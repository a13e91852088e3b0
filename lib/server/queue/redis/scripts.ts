import type { Redis } from 'ioredis'
import { MOST_OVERTAKEN } from '../../jobs/fair-queue.js'
import { workersEnded } from '../../jobs/failure.js'
import { MOST_ENDED } from '../queue-database.js'
import { accept } from './lua/accept.js'
import { claim } from './lua/claim.js'
import { count, turn } from './lua/count.js'
import { ended } from './lua/ended.js'
import { endHook, takeHooks } from './lua/hooks.js'
import { cleared, leftOver } from './lua/left-over.js'
import { prelude } from './lua/prelude.js'
import { giveUp, put, release, report, sendAgain, settle } from './lua/run.js'
import { lanes, sweep } from './lua/sweep.js'
import { announce, withdraw } from './lua/workers.js'
import { channels, PREFIX } from './redis-connection.js'

/** Change nothing. */
const READING = { lanes }
const WRITING = {
  ...{ accept, put, claim, report, settle, release, giveUp, sendAgain, sweep, leftOver, cleared },
  ...{ takeHooks, endHook, announce, withdraw, count, turn }
}
type ScriptName = keyof typeof READING | keyof typeof WRITING

const shared = (told: string) => prelude(MOST_OVERTAKEN, told) + ended(JSON.stringify(workersEnded(MOST_ENDED).error))

/**
 * Redis without memory refuses the commands that need some, and does the others: a script would end in the middle, with a job out
 * of its lane and nowhere else. This one needs some and changes nothing, so such a script does not begin.
 */
const ALL_OR_NOTHING = `call('SETRANGE', P .. 'nothing', 0, '')\n`

type Argument = string | number | Buffer

/** The scripts of a queue. Each is done as one step. */
export class Scripts {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
    const before = shared(channels(redis))
    for (const [name, body] of Object.entries(READING)) redis.defineCommand(name, { numberOfKeys: 1, lua: before + body })
    for (const [name, body] of Object.entries(WRITING))
      redis.defineCommand(name, { numberOfKeys: 1, lua: before + ALL_OR_NOTHING + body })
  }

  async run<T>(script: ScriptName, ...args: Argument[]): Promise<T> {
    const commands = this.#redis as unknown as Record<ScriptName, (...all: Argument[]) => Promise<T>>
    return commands[script](PREFIX, ...args)
  }
}
