import type { Redis } from 'ioredis'
import type { JobFilter } from '../../jobs/store.js'
import type { Limits } from '../../limits.js'
import type { Side } from '../blobs.js'
import {
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
  type Settled,
  type Told
} from '../queue-database.js'
import type { JobRecord } from '../record.js'
import { RedisBoard } from './redis-board.js'
import { channels, PREFIX } from './redis-connection.js'
import { RedisParts } from './redis-parts.js'
import { fieldsOf, readHash } from './redis-record.js'
import { Scripts } from './scripts.js'

/** A queue in Redis, whose steps are scripts. */
export class RedisDatabase implements QueueDatabase {
  readonly board: RedisBoard
  readonly parts: RedisParts
  readonly #redis: Redis
  readonly #files: Redis
  readonly #scripts: Scripts

  /** @param files a connection for files alone */
  constructor(redis: Redis, files: Redis) {
    this.#redis = redis
    this.#files = files
    this.#scripts = new Scripts(redis)
    this.board = new RedisBoard(redis, this.#scripts)
    this.parts = new RedisParts(files, new Scripts(files))
  }

  async ping(): Promise<void> {
    // Of a cluster, a node can answer and not be the one that has the queue.
    await this.#redis.exists(`${PREFIX}up`)
  }

  /** Resolves when both connections are there. */
  async prepare(): Promise<void> {
    await Promise.all([this.ping(), this.#files.ping()])
  }

  async once(name: 'urlSecret' | 'folder', value: string): Promise<string> {
    await this.#redis.set(PREFIX + name, value, 'NX')
    return (await this.#redis.get(PREFIX + name))!
  }

  async turn(name: string, everyMs: number): Promise<boolean> {
    return (await this.#scripts.run<number>('turn', name, everyMs)) === 1
  }

  async count(key: string, windowMs: number): Promise<Counted> {
    const [current, ttl] = await this.#scripts.run<[number, number]>('count', key, windowMs)
    return { current, ttl }
  }

  async tell(name: Told, text: string): Promise<void> {
    await this.#redis.publish(channels(this.#redis) + name, text)
  }

  async accept(job: NewJob, bounds: Bounds): Promise<Accepted> {
    return this.#scripts.run<Accepted>(
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
    const [queued, running, kept, keptBytes, inputBytes, deadLetters] = await Promise.all([
      this.#redis.zcard(`${PREFIX}queued`),
      this.#redis.hvals(`${PREFIX}running`),
      this.#redis.zcard(`${PREFIX}shelf`),
      this.#redis.get(`${PREFIX}keptBytes`),
      this.#redis.get(`${PREFIX}inputBytes`),
      this.#redis.zcard(`${PREFIX}dead`)
    ])
    const runningImages = running.reduce((sum, images) => sum + Number(images), 0)
    return {
      ...{ queued, running: running.length, runningImages, kept },
      ...{ keptBytes: Number(keptBytes ?? 0), inputBytes: Number(inputBytes ?? 0), deadLetters }
    }
  }

  async lanes(model: string, most: number) {
    const all = await this.#scripts.run<[owner: string, pass: string, jobs: string[]][]>('lanes', model, most)
    return all.map(([, pass, jobs]) => ({
      pass: Number(pass),
      items: pairsOf(jobs).map(([id, cost]) => ({ id, cost: Number(cost) }))
    }))
  }

  async giveUp(id: string, { state, error, again }: Ending): Promise<void> {
    await this.#scripts.run('giveUp', id, state, error, flag(again))
  }

  async claim({ model, ticket, worker, room, idle }: Claim): Promise<Claimed> {
    const claimed = await this.#scripts.run<['nothing' | 'wait'] | ['run', run: string, fields: string[]]>(
      'claim',
      ...[model, ticket, worker, room, flag(idle)]
    )
    if (claimed[0] !== 'run') return claimed[0]
    const fields = fieldsOf(claimed[2])
    return { run: claimed[1], record: readHash(fields)!, work: fields['work'] ?? 'null' }
  }

  async report(id: string, run: string, { steps, messages }: Report): Promise<boolean> {
    const wanted = await this.#scripts.run<number>(
      'report',
      ...[id, run, steps.length],
      ...steps.flatMap(({ image, ...progress }) => [image, JSON.stringify(progress)]),
      ...messages.flatMap(({ kind, contents }) => [kind, contents])
    )
    return wanted === 1
  }

  async settle(id: string, run: string, { state, error, result, bytes, again, parts }: RunEnding): Promise<Settled> {
    return this.#scripts.run<Settled>('settle', id, run, state, error, result, bytes, flag(again), ...parts)
  }

  async release(id: string, run: string): Promise<void> {
    await this.#scripts.run('release', id, run)
  }

  async handIn(ticket: string): Promise<void> {
    await this.#redis.hdel(`${PREFIX}tickets`, ticket)
  }

  async deadLetters(): Promise<JobRecord[]> {
    return this.#recordsOf(await this.#redis.zrange(`${PREFIX}dead`, 0, '-1'))
  }

  async sendAgain(id: string): Promise<string | undefined> {
    return (await this.#scripts.run<string>('sendAgain', id)) || undefined
  }

  async sweep(kept: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'> | undefined): Promise<Map<string, number>> {
    const waiting = await this.#scripts.run<string[]>('sweep', kept?.maxKeptJobs ?? -1, kept?.maxKeptBytes ?? -1)
    return new Map(pairsOf(waiting).map(([model, jobs]) => [model, Number(jobs)]))
  }

  async leftOver(most: number, againMs: number): Promise<{ id: string; due: string }[]> {
    return pairsOf(await this.#scripts.run<string[]>('leftOver', most, againMs)).map(([id, due]) => ({ id, due }))
  }

  async cleared(id: string, due: string): Promise<void> {
    await this.#scripts.run('cleared', id, due)
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
    const [due, lost] = await this.#scripts.run<[due: [name: string, fields: string[]][], lost: string[]]>(
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
    await this.#scripts.run('endHook', name, host, attempt, pauseMs === undefined ? '' : Math.round(pauseMs))
  }

  async close(): Promise<void> {
    for (const redis of [this.#redis, this.#files]) redis.disconnect()
  }

  async #recordsOf(ids: readonly string[]): Promise<JobRecord[]> {
    const records = await Promise.all(ids.map(id => this.record(id)))
    return records.filter(record => record !== undefined)
  }
}

const flag = (value: boolean) => (value ? 1 : 0)

/** A list of two things by turns. */
function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!])
}
