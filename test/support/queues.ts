import { describe } from 'vitest'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { PostgresServer } from '../../bench/scale/postgres.mjs'
import type { QueueKind } from '../../bench/scale/queues.mjs'
import { RedisServer } from '../../bench/scale/redis.mjs'
import { has } from './programs.mjs'

export { PostgresServer, RedisServer }
export { startQueue, type QueueKind, type QueueServer } from '../../bench/scale/queues.mjs'

type Program = Parameters<typeof has>[0]

const PROGRAMS: Record<QueueKind, Program> = { redis: 'redis-server', postgres: 'postgresql' }

/** Tests that need Redis, or PostgreSQL: left out by name where there is none. */
export const describeWithRedis = describe.skipIf(!has('redis-server'))
export const describeWithPostgres = describe.skipIf(!has('postgresql'))

/** Tests of what holds on each kind of database: those whose program is not there are left out by name. */
export function describeOnQueues(name: string, tests: (kind: QueueKind) => void, ...needed: Program[]): void {
  for (const kind of ['redis', 'postgres'] as const)
    describe.skipIf(![PROGRAMS[kind], ...needed].every(each => has(each)))(`${name}, on ${kind}`, () => tests(kind))
}

/** What a database has of a queue, for tests that have to see it, or to bend its time. */
export interface Inside {
  /** Webhooks that have not come to their end; those of a host. */
  hooks(host?: string): Promise<number>
  fillHooks(count: number): Promise<void>
  /** All that is in the database, as text. */
  everything(): Promise<string>
  folder(): Promise<string>
  /** What is left over is due now; how much that is. */
  hurryLeftOver(): Promise<number>
  /** Whether somebody has looked through all files lately, as of now. */
  lookedThrough(now?: boolean): Promise<boolean>
  /** A job as if its time were over. */
  expire(id: string): Promise<void>
  /** A record of a job that runs, and of which nothing else is known. */
  addRunning(id: string): Promise<void>
  stateOf(id: string): Promise<string | undefined>
  /** What jobs have made is no longer there; how many of them had something. */
  forgetFiles(): Promise<number>
  /** What jobs have made is something else. */
  fillFiles(bytes: Buffer): Promise<void>
  /** Tickets lose their worker. */
  cutLocks(): Promise<void>
  /** Tickets that nobody has. */
  freeTickets(): Promise<number>
  end(): Promise<void>
}

export function lookInside(kind: QueueKind, url: string): Inside {
  return kind === 'redis' ? insideRedis(url) : insidePostgres(url)
}

function insideRedis(url: string): Inside {
  const redis = new Redis(url)
  redis.on('error', () => {})
  const key = (name: string) => `{wuerstchen}:${name}`
  return {
    hooks: async host => redis.zcard(key(host === undefined ? 'hooks' : `hooksOf:${host}`)),
    async fillHooks(count) {
      await redis.zadd(key('hooks'), ...(Array.from({ length: count }, (_, index) => [index, `msg ${index}`]).flat() as string[]))
    },
    async everything() {
      const texts = (await redis.keys('*')).map(async each =>
        (await redis.type(each)) === 'hash' ? JSON.stringify(await redis.hgetall(each)) : String(await redis.dump(each))
      )
      return (await Promise.all(texts)).join('\n')
    },
    folder: async () => (await redis.get(key('folder')))!,
    async hurryLeftOver() {
      const ids = await redis.zrange(key('leftOver'), 0, -1)
      for (const id of ids) await redis.zadd(key('leftOver'), 'XX', 0, id)
      return ids.length
    },
    async lookedThrough(now) {
      if (now === true) await redis.set(key('lookedThrough'), 1)
      if (now === false) await redis.del(key('lookedThrough'))
      return (await redis.exists(key('lookedThrough'))) === 1
    },
    async expire(id) {
      await redis.zadd(key('expires'), 'XX', 0, id)
    },
    async addRunning(id) {
      await redis.hset(key(`job:${id}`), { state: 'running', work: '{}' })
    },
    stateOf: async id => (await redis.hget(key(`job:${id}`), 'state')) ?? undefined,
    async forgetFiles() {
      const keys = await redis.keys(key('out:*'))
      return keys.length === 0 ? 0 : redis.del(...keys)
    },
    async fillFiles(bytes) {
      for (const each of await redis.keys(key('out:*')))
        for (const name of await redis.hkeys(each)) await redis.hset(each, name, bytes)
    },
    async cutLocks() {
      for (const each of await redis.keys(key('model-tiny:*:lock'))) await redis.del(each)
    },
    freeTickets: async () => redis.llen(key('model-tiny:wait')),
    async end() {
      redis.disconnect()
    }
  }
}

function insidePostgres(url: string): Inside {
  const pool = new Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {})
  const ask = async (text: string, ...values: unknown[]) => (await pool.query<Record<string, unknown>>(text, values)).rows
  const count = async (text: string, ...values: unknown[]) =>
    Number((await ask(`SELECT count(*) FROM ${text}`, ...values))[0]!['count'])
  return {
    hooks: async host => count('wuerstchen.hook WHERE $1::text IS NULL OR host = $1', host ?? null),
    async fillHooks(many) {
      await ask(`INSERT INTO wuerstchen.hook (name, host, due, ended_at, job)
        SELECT 'msg ' || n, 'h', 9e15, 9e15, '{}' FROM generate_series(1, ${many}) AS n`)
    },
    async everything() {
      const tables = await ask(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname ~ '^wuerstchen'"
      )
      const texts = tables.map(async ({ name }) => JSON.stringify(await ask(`SELECT each::text FROM ${name as string} AS each`)))
      return (await Promise.all(texts)).join('\n')
    },
    folder: async () => (await ask("SELECT value FROM wuerstchen.setting WHERE name = 'folder'"))[0]!['value'] as string,
    async hurryLeftOver() {
      return (await ask('UPDATE wuerstchen.left_over SET due = wuerstchen.now_ms() RETURNING 1')).length
    },
    async lookedThrough(now) {
      const ends = now === true ? '9e15' : '0'
      if (now !== undefined)
        await ask(`INSERT INTO wuerstchen.turn (name, ends_at) VALUES ('lookedThrough', ${ends})
          ON CONFLICT (name) DO UPDATE SET ends_at = EXCLUDED.ends_at`)
      return (await count("wuerstchen.turn WHERE name = 'lookedThrough' AND ends_at > wuerstchen.now_ms()")) === 1
    },
    async expire(id) {
      await ask('UPDATE wuerstchen.job SET expires_at = 0 WHERE id = $1', id)
    },
    async addRunning(id) {
      await ask(
        `INSERT INTO wuerstchen.job (id, fixed, work, model, owner, priority, cost, images, keep, timeout_ms, kept_ms, input_bytes,
            fingerprint, late, elsewhere, hook_host, state, created_at, deadline)
          VALUES ($1, '{}', '{}', 'm', 'o', 0, 1, 1, true, 0, 0, 0, '', '', true, '', 'running', 0, 9e15)`,
        id
      )
    },
    stateOf: async id => (await ask('SELECT state FROM wuerstchen.job WHERE id = $1', id))[0]?.['state'] as string | undefined,
    forgetFiles: async () => (await ask("DELETE FROM wuerstchen.part WHERE side = 'out' RETURNING 1")).length,
    async fillFiles(bytes) {
      await ask("UPDATE wuerstchen.part SET bytes = $1 WHERE side = 'out'", bytes)
    },
    async cutLocks() {
      await ask("UPDATE wuerstchen_tickets.job SET lock_token = 'nobody', locked_until_ms = 0 WHERE state = 'active'")
    },
    freeTickets: async () => count("wuerstchen_tickets.job WHERE state = 'waiting'"),
    end: async () => pool.end()
  }
}
