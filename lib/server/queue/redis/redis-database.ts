import type { Redis } from 'ioredis'
import { MOST_OVERTAKEN } from '../../jobs/fair-queue.js'
import { workersEnded } from '../../jobs/failure.js'
import type { JobFilter } from '../../jobs/store.js'
import type { Limits } from '../../limits.js'
import type { Side } from '../blobs.js'
import {
  FACTS_MS,
  FORGOTTEN_MS,
  MOST_ENDED,
  type Accepted,
  type Bounds,
  type Claim,
  type Claimed,
  type Counted,
  type Ending,
  type HookRoom,
  type NewJob,
  type QueueDatabase,
  type Report,
  type RunEnding,
  type Told
} from '../queue-database.js'
import type { JobRecord } from '../record.js'
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
import { PREFIX } from './redis-connection.js'
import { fieldsOf, readHash } from './redis-record.js'

/** Change nothing. */
const READING = { lanes }
const WRITING = {
  ...{ accept, put, claim, report, settle, release, giveUp, sendAgain, sweep, leftOver, cleared },
  ...{ takeHooks, endHook, announce, withdraw, count, turn }
}
type ScriptName = keyof typeof READING | keyof typeof WRITING

const SHARED = prelude(MOST_OVERTAKEN) + ended(JSON.stringify(workersEnded(MOST_ENDED).error))

/**
 * Redis without memory refuses the commands that need some, and does the others: a script would end in the middle, with a job out
 * of its lane and nowhere else. This one needs some and changes nothing, so such a script does not begin.
 */
const ALL_OR_NOTHING = `call('SETRANGE', P .. 'nothing', 0, '')\n`

type Argument = string | number | Buffer

/** A queue in Redis, whose steps are scripts. */
export class RedisDatabase implements QueueDatabase {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
    for (const [name, body] of Object.entries(READING)) redis.defineCommand(name, { numberOfKeys: 1, lua: SHARED + body })
    for (const [name, body] of Object.entries(WRITING))
      redis.defineCommand(name, { numberOfKeys: 1, lua: SHARED + ALL_OR_NOTHING + body })
  }

  async ping(): Promise<void> {
    await this.#redis.ping()
  }

  async once(name: 'urlSecret' | 'folder', value: string): Promise<string> {
    await this.#redis.set(PREFIX + name, value, 'NX')
    return (await this.#redis.get(PREFIX + name))!
  }

  async turn(name: string, everyMs: number): Promise<boolean> {
    return (await this.#run<number>('turn', name, everyMs)) === 1
  }

  async count(key: string, windowMs: number): Promise<Counted> {
    const [current, ttl] = await this.#run<[number, number]>('count', key, windowMs)
    return { current, ttl }
  }

  async tell(name: Told, text: string): Promise<void> {
    await this.#redis.publish(PREFIX + name, text)
  }

  async accept(job: NewJob, bounds: Bounds): Promise<Accepted> {
    return this.#run<Accepted>(
      'accept',
      ...[job.id, job.fixed, job.work, job.model, job.owner, job.priority, job.cost, job.images],
      ...[flag(job.keep), job.timeoutMs, job.keptMs, job.inputBytes, job.fingerprint, job.late],
      ...[bounds.maxQueued, bounds.maxQueuedPerKey, bounds.maxHeldBytes, bounds.maxHeldBytesPerKey],
      ...[flag(job.elsewhere), job.hookHost]
    )
  }

  async fingerprintOf(id: string): Promise<string | undefined> {
    const [fingerprint, again] = await this.#redis.hmget(`${PREFIX}job:${id}`, 'fingerprint', 'again')
    return again === '1' ? undefined : (fingerprint ?? undefined)
  }

  async record(id: string): Promise<JobRecord | undefined> {
    return readHash(await this.#redis.hgetall(`${PREFIX}job:${id}`))
  }

  async isGone(id: string): Promise<boolean> {
    return (await this.#redis.zscore(`${PREFIX}gone`, id)) !== null
  }

  async page({ owner, after, limit }: JobFilter): Promise<{ records: JobRecord[]; more: boolean } | 'expired' | undefined> {
    const key = PREFIX + (owner === undefined ? 'all' : `owned:${owner}`)
    const from = after === undefined ? '+inf' : await this.#redis.zscore(key, after)
    // From the beginning again, whoever goes from page to page would never come to an end.
    if (from === null) return (await this.isGone(after!)) ? 'expired' : undefined
    const ids = await this.#redis.zrevrangebyscore(key, after === undefined ? from : `(${from}`, '-inf', 'LIMIT', 0, limit + 1)
    return { records: await this.#recordsOf(ids.slice(0, limit)), more: ids.length > limit }
  }

  async waiting(owner: string): Promise<{ all: number; own: number }> {
    const [all, own] = await Promise.all([this.#redis.zcard(`${PREFIX}queued`), this.#redis.hget(`${PREFIX}queuedOf`, owner)])
    return { all, own: Number(own ?? 0) }
  }

  async stats() {
    const [queued, running, kept, keptBytes, inputBytes] = await Promise.all([
      this.#redis.zcard(`${PREFIX}queued`),
      this.#redis.hvals(`${PREFIX}running`),
      this.#redis.zcard(`${PREFIX}shelf`),
      this.#redis.get(`${PREFIX}keptBytes`),
      this.#redis.get(`${PREFIX}inputBytes`)
    ])
    const runningImages = running.reduce((sum, images) => sum + Number(images), 0)
    return {
      ...{ queued, running: running.length, runningImages, kept },
      ...{ keptBytes: Number(keptBytes ?? 0), inputBytes: Number(inputBytes ?? 0) }
    }
  }

  async lanes(model: string, most: number) {
    const all = await this.#run<[owner: string, pass: string, jobs: string[]][]>('lanes', model, most)
    return all.map(([, pass, jobs]) => ({
      pass: Number(pass),
      items: pairsOf(jobs).map(([id, cost]) => ({ id, cost: Number(cost) }))
    }))
  }

  async giveUp(id: string, { state, error, again }: Ending): Promise<void> {
    await this.#run('giveUp', id, state, error, flag(again))
  }

  async claim({ model, ticket, worker, room, idle }: Claim): Promise<Claimed> {
    const claimed = await this.#run<['nothing' | 'wait'] | ['run', run: string, fields: string[]]>(
      'claim',
      ...[model, ticket, worker, room, flag(idle)]
    )
    if (claimed[0] !== 'run') return claimed[0]
    const fields = fieldsOf(claimed[2])
    return { run: claimed[1], record: readHash(fields)!, work: fields['work'] ?? 'null' }
  }

  async report(id: string, run: string, { steps, messages }: Report): Promise<boolean> {
    const wanted = await this.#run<number>(
      'report',
      ...[id, run, steps.length],
      ...steps.flatMap(({ image, ...progress }) => [image, JSON.stringify(progress)]),
      ...messages.flatMap(({ kind, contents }) => [kind, contents])
    )
    return wanted === 1
  }

  async settle(id: string, run: string, { state, error, result, bytes, again }: RunEnding): Promise<boolean> {
    return (await this.#run<number>('settle', id, run, state, error, result, bytes, flag(again))) === 1
  }

  async release(id: string, run: string): Promise<void> {
    await this.#run('release', id, run)
  }

  async handIn(ticket: string): Promise<void> {
    await this.#redis.hdel(`${PREFIX}tickets`, ticket)
  }

  async deadLetters(): Promise<JobRecord[]> {
    return this.#recordsOf(await this.#redis.zrange(`${PREFIX}dead`, 0, '-1'))
  }

  async sendAgain(id: string): Promise<string | undefined> {
    return (await this.#run<string>('sendAgain', id)) || undefined
  }

  async sweep(kept: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'> | undefined): Promise<Map<string, number>> {
    const waiting = await this.#run<string[]>('sweep', kept?.maxKeptJobs ?? -1, kept?.maxKeptBytes ?? -1)
    return new Map(pairsOf(waiting).map(([model, jobs]) => [model, Number(jobs)]))
  }

  async leftOver(most: number, againMs: number): Promise<{ id: string; due: string }[]> {
    return pairsOf(await this.#run<string[]>('leftOver', most, againMs)).map(([id, due]) => ({ id, due }))
  }

  async cleared(id: string, due: string): Promise<void> {
    await this.#run('cleared', id, due)
  }

  async wantedSides(id: string): Promise<ReadonlySet<Side>> {
    const [work, state] = await this.#redis.hmget(`${PREFIX}job:${id}`, 'work', 'state')
    // Without its work it is over, and its inputs are of no use any more.
    return new Set<Side>([
      ...(typeof work === 'string' ? ['in' as const] : []),
      ...(typeof state === 'string' ? ['out' as const] : [])
    ])
  }

  async takeHooks({ leaseMs, most, mostOfHost, held }: HookRoom) {
    const [due, lost] = await this.#run<[due: [name: string, fields: string[]][], lost: string[]]>(
      'takeHooks',
      ...[leaseMs, most, mostOfHost],
      ...[...held].flat()
    )
    const taken = due.map(([name, flat]) => {
      const fields = fieldsOf(flat)
      return { name, attempts: Number(fields['attempts']), view: readHash(fields)!.view }
    })
    return { due: taken, lost }
  }

  async endHook(name: string, host: string, attempt: number, pauseMs: number | undefined): Promise<void> {
    await this.#run('endHook', name, host, attempt, pauseMs === undefined ? '' : Math.round(pauseMs))
  }

  async announce(worker: string, announcement: string, facts: readonly { name: string; text: string }[]): Promise<void> {
    const all = facts.flatMap(({ name, text }) => [name, text])
    await this.#run('announce', worker, announcement, FORGOTTEN_MS, FACTS_MS, ...all)
  }

  async withdraw(worker: string): Promise<void> {
    await this.#run('withdraw', worker)
  }

  async workers(): Promise<string[]> {
    return this.#present('workers', 'worker')
  }

  async offered(): Promise<string[]> {
    return this.#present('models', 'model')
  }

  async putParts(job: string, side: Side, parts: ReadonlyMap<string, Uint8Array>, ttlMs: number): Promise<void> {
    const fields = [...parts].flatMap(([name, bytes]) => [name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
    // One command, and no transaction: of that, a connection that is cut would send the rest again on its own.
    await this.#run('put', side, job, ttlMs, ...fields)
  }

  async getParts(job: string, side: Side, names: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = await this.#redis.hmgetBuffer(`${PREFIX}${side}:${job}`, ...names)
    return new Map(names.flatMap((name, index) => (found[index] ? [[name, found[index]] as const] : [])))
  }

  async dropParts(job: string, side: Side, names: readonly string[]): Promise<void> {
    await this.#redis.hdel(`${PREFIX}${side}:${job}`, ...names)
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
  }

  /** The texts of all that a list names; what has come to its end leaves the list. */
  async #present(list: string, kind: string): Promise<string[]> {
    const names = await this.#redis.zrange(PREFIX + list, 0, '-1')
    if (names.length === 0) return []
    const texts = await this.#redis.mget(names.map(name => `${PREFIX}${kind}:${name}`))
    const gone = names.filter((_, index) => texts[index] === null)
    if (gone.length > 0) await this.#redis.zrem(PREFIX + list, ...gone)
    return texts.flatMap(text => (typeof text === 'string' ? [text] : []))
  }

  async #recordsOf(ids: readonly string[]): Promise<JobRecord[]> {
    const records = await Promise.all(ids.map(id => this.record(id)))
    return records.filter(record => record !== undefined)
  }

  async #run<T>(script: ScriptName, ...args: Argument[]): Promise<T> {
    const commands = this.#redis as unknown as Record<ScriptName, (...all: Argument[]) => Promise<T>>
    return commands[script](PREFIX, ...args)
  }
}

const flag = (value: boolean) => (value ? 1 : 0)

/** A list of two things by turns. */
function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!])
}
